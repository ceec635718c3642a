"""Training the networks. Nothing that colours a film imports this.

run          steps, checkpoints, evaluation                 trainer             one step, and what it changes
config       the settings of a run                          objective, losses   what a step minimises
commandline  how pack and model_card end
dataset      photos and random samples of them              layouts, cocostuff, archive   how data are stored
weak_labels  labels found by colour                         degradations        film's damage
imagenet     the encoder to start from                      chroma_prior        the usual colour of each label
evaluate     colour and labels on test photos               figures             every figure of the model card
metrics, lab colour differences, colour spaces              model_card, pack    commands
"""
