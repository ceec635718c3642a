"""COCO-Stuff's 182 ids in our names.

Caesar, Uijlings, Ferrari, "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018. Ids 1..91 are COCO's things
(eleven of them never occur), 92..182 stuff; names and what each includes after the data set's own `labels.txt` and
`labels.md`. Pixel maps ("stuffthingmaps") hold id − 1, and 255 where nothing is known.
"""

# fmt: off
CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "street sign", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep",
    "cow", "elephant", "bear", "zebra", "giraffe", "hat", "backpack", "umbrella", "shoe", "eye glasses",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat",
    "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", "plate", "wine glass", "cup", "fork",
    "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza",
    "donut", "cake", "chair", "couch", "potted plant", "bed", "mirror", "dining table", "window", "desk", "toilet",
    "door", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "blender", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
    "hair brush",
    "banner", "blanket", "branch", "bridge", "building-other", "bush", "cabinet", "cage", "cardboard", "carpet",
    "ceiling-other", "ceiling-tile", "cloth", "clothes", "clouds", "counter", "cupboard", "curtain", "desk-stuff",
    "dirt", "door-stuff", "fence", "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood", "flower",
    "fog", "food-other", "fruit", "furniture-other", "grass", "gravel", "ground-other", "hill", "house", "leaves",
    "light", "mat", "metal", "mirror-stuff", "moss", "mountain", "mud", "napkin", "net", "paper", "pavement",
    "pillow", "plant-other", "plastic", "platform", "playingfield", "railing", "railroad", "river", "road", "rock",
    "roof", "rug", "salad", "sand", "sea", "shelf", "sky-other", "skyscraper", "snow", "solid-other", "stairs",
    "stone", "straw", "structural-other", "table", "tent", "textile-other", "towel", "tree", "vegetable",
    "wall-brick", "wall-concrete", "wall-other", "wall-panel", "wall-stone", "wall-tile", "wall-wood", "water-other",
    "waterdrops", "window-blind", "window-other", "wood",
)
"""The names of ids 1..182, in that order."""

# Our names, of which a pixel has one, and the classes that mean them. There are several names where the two lists
# divide things differently, where annotators are known to have confused classes, or where a class is a material and
# not a thing: it is better to learn nothing than something wrong.
_MEANING = {
    "person clothes skin hair bag": ("person",),
    "person clothes skin hair": ("clothes", "eye glasses"),  # "often assigned to incompletely annotated persons"
    "clothes": ("hat", "shoe", "tie"),
    "clothes skin background": ("baseball glove",),
    "bag": ("backpack", "handbag", "suitcase"),
    "bicycle": ("bicycle",),
    "car": ("car",),
    "motorbike": ("motorcycle",),
    "aeroplane": ("airplane",),
    "bus": ("bus",),
    "train": ("train",),
    "truck": ("truck",),
    "boat": ("boat",),
    "light": ("traffic light", "light"),
    "sign": ("street sign", "stop sign"),
    "sign background": ("banner",),
    "bench": ("bench",),
    "bird": ("bird",),
    "cat": ("cat",),
    "dog": ("dog",),
    "horse": ("horse",),
    "sheep": ("sheep",),
    "cow": ("cow",),
    "background": (
        "fire hydrant", "parking meter", "elephant", "bear", "zebra", "giraffe", "umbrella", "frisbee", "skis",
        "snowboard", "sports ball", "kite", "baseball bat", "skateboard", "surfboard", "tennis racket", "fork",
        "knife", "spoon", "toilet", "remote", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator",
        "blender", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush", "hair brush", "mirror",
        "mirror-stuff", "cardboard", "napkin", "towel", "tent",
    ),
    "bottle": ("bottle",),
    "plate": ("plate",),
    "cup": ("cup",),
    "cup background": ("wine glass",),
    "plate cup background": ("bowl",),
    "food": (
        "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake",
        "food-other", "fruit", "salad", "vegetable",
    ),
    "chair": ("chair",),
    "sofa": ("couch",),
    "pottedplant": ("potted plant",),
    "bed bedcloth": ("bed",),
    "bedcloth background": ("blanket",),
    "bedcloth sofa background": ("pillow",),
    "diningtable": ("dining table", "table"),
    "diningtable cabinet": ("desk", "desk-stuff"),
    "diningtable cabinet background": ("counter",),
    "diningtable cabinet chair shelves background": ("furniture-other",),
    "cabinet": ("cabinet",),
    "cabinet shelves": ("cupboard",),
    "shelves": ("shelf",),
    "window": ("window", "window-other"),
    "window curtain": ("window-blind",),
    "curtain": ("curtain",),
    "curtain bedcloth clothes background": ("cloth", "textile-other"),
    "door": ("door", "door-stuff"),
    "tvmonitor": ("tv",),
    "computer keyboard": ("laptop",),
    "mouse": ("mouse",),
    "keyboard": ("keyboard",),
    "book": ("book",),
    "book sign background": ("paper",),
    "building": ("building-other", "house", "skyscraper", "roof"),
    "building road background": ("bridge",),
    "building wall": ("wall-brick", "wall-concrete", "wall-stone"),  # indoors and out
    "building wall wood": ("wall-wood",),
    "wall": ("wall-other", "wall-panel", "wall-tile"),
    "ceiling": ("ceiling-other", "ceiling-tile"),
    "floor": ("floor-tile", "floor-wood", "carpet", "rug"),
    "floor background": ("mat",),
    "floor ground sidewalk": ("floor-marble", "floor-stone", "floor-other"),  # "of a room or outside"
    "floor ground grass": ("playingfield",),  # "indoor and outdoor"
    "floor ground sidewalk building background": ("stairs",),
    "fence": ("fence", "railing"),
    "fence background": ("cage", "net"),
    "platform": ("platform",),
    "track": ("railroad",),
    "road": ("road",),
    "sidewalk": ("pavement",),
    "ground": ("dirt", "mud", "sand"),
    "ground road sidewalk": ("ground-other",),
    "ground track": ("gravel",),  # between rails, too
    "ground grass background": ("straw",),
    "ground rock wall": ("stone",),
    "rock": ("rock",),
    "rock grass ground tree": ("moss",),
    "mountain": ("mountain",),
    "mountain grass tree": ("hill",),
    "grass": ("grass",),
    "tree": ("tree", "bush"),
    "tree wood": ("branch",),
    "tree flower pottedplant": ("leaves",),
    "tree grass flower pottedplant": ("plant-other",),
    "flower": ("flower",),
    "wood": ("wood",),
    "sky": ("sky-other", "clouds"),
    "sky background": ("fog",),
    "snow": ("snow",),
    "water": ("river", "sea", "water-other", "waterdrops"),
}
# fmt: on
# Left unknown: metal, plastic, solid-other, structural-other.

RULES = {str(CLASSES.index(name)): ours.split() for ours, names in _MEANING.items() for name in names}
"""Pixel value → our names, as in `labels.json`."""
