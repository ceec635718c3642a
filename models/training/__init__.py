"""Training the networks. Nothing that colours a film imports this.

trainer      the run: steps, checkpoints, evaluation        objective, losses   what a step minimises
config       the settings of a run                          commandline         how pack and model_card end
dataset      photos and random samples of them              layouts, cocostuff, archive   how data are stored
weak_labels  labels found by colour                         degradations        film's damage
imagenet     the encoder to start from                      chroma_prior        the usual colour of each label
evaluate     colour and labels on test photos               figures             every figure of the model card
metrics, lab colour differences, colour spaces              model_card, pack    commands
"""
