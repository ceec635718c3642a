"""Training the networks. Nothing that colours a film imports this.

trainer      the run: steps, checkpoints, evaluation        objective, losses   what a step lowers
dataset      photos and random samples of them              layouts, cocostuff, archive   how data lie on the disk
weak_labels  labels told by colour                          degradations        film's damage
imagenet     the encoder to begin with                      chroma_prior        the usual colour of each label
evaluate     colour and labels on test photos               figures             every figure of the model card
metrics, lab colour differences, colour spaces              model_card, pack    commands
"""
