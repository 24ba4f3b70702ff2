"""What the starter model knows: concepts, named colours, sizes, positions, numbers and artwork packs."""

from dataclasses import dataclass
from typing import Literal

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Concept:
    """One thing to draw: the word in captions, the icon's name in the packs, and whether it comes in other colours."""

    word: str
    icon: str
    recolourable: bool = False


@dataclass(frozen=True)
class Pack:
    """One artwork package on npm, and the style word that captions use for it.

    contents: "iconify" is one JSON of SVG bodies by name; "webp" is one picture for each code point.
    """

    name: str
    version: str
    style: str
    title: str
    author: str
    source: str
    licence: str
    contents: Literal["iconify", "webp"] = "iconify"


PACKS = (
    Pack(
        "@iconify-json/noto",
        "1.2.9",
        "shaded",
        "Noto Emoji",
        "Google",
        "github.com/googlefonts/noto-emoji",
        "Apache-2.0",
    ),
    Pack(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "flat",
        "Fluent UI Emoji, flat",
        "Microsoft Corporation",
        "github.com/microsoft/fluentui-emoji",
        "MIT",
    ),
    Pack(
        "@lobehub/fluent-emoji-3d",
        "1.1.0",
        "3d",
        "Fluent UI Emoji, 3D",
        "Microsoft Corporation",
        "github.com/lobehub/fluent-emoji",
        "MIT",
        "webp",
    ),
)

# Its list of names and code points names the pictures of the packs that have code points alone.
NAMING_PACK = PACKS[1]

# Never trained on: it tells how far two artists' drawings of one thing lie apart.
HELD_OUT_PACK = Pack(
    "@iconify-json/twemoji", "1.2.5", "", "Twemoji", "Twitter", "github.com/jdecked/twemoji", "CC-BY-4.0"
)

# Kept out of the base: the style LoRA learns it.
INK_PACK = Pack(
    "@iconify-json/fluent-emoji-high-contrast",
    "1.2.6",
    "ink",
    "Fluent UI Emoji, high contrast",
    "Microsoft Corporation",
    "github.com/microsoft/fluentui-emoji",
    "MIT",
)

CONCEPTS = (
    Concept("cat", "cat-face", recolourable=True),
    Concept("dog", "dog-face", recolourable=True),
    Concept("fox", "fox", recolourable=True),
    Concept("panda", "panda"),
    Concept("frog", "frog", recolourable=True),
    Concept("octopus", "octopus", recolourable=True),
    Concept("fish", "fish", recolourable=True),
    Concept("butterfly", "butterfly", recolourable=True),
    Concept("ladybug", "lady-beetle", recolourable=True),
    Concept("pizza", "pizza"),
    Concept("apple", "red-apple", recolourable=True),
    Concept("banana", "banana", recolourable=True),
    Concept("strawberry", "strawberry", recolourable=True),
    Concept("watermelon", "watermelon"),
    Concept("mushroom", "mushroom", recolourable=True),
    Concept("doughnut", "doughnut", recolourable=True),
    Concept("cactus", "cactus", recolourable=True),
    Concept("sunflower", "sunflower"),
    Concept("tree", "evergreen-tree", recolourable=True),
    Concept("rainbow", "rainbow"),
    Concept("sun", "sun", recolourable=True),
    Concept("moon", "crescent-moon", recolourable=True),
    Concept("star", "star", recolourable=True),
    Concept("rocket", "rocket", recolourable=True),
    Concept("car", "automobile", recolourable=True),
    Concept("house", "house", recolourable=True),
    Concept("umbrella", "umbrella", recolourable=True),
    Concept("balloon", "balloon", recolourable=True),
    Concept("heart", "red-heart", recolourable=True),
    Concept("ghost", "ghost"),
    Concept("robot", "robot"),
    Concept("snowman", "snowman-without-snow"),
    Concept("rabbit", "rabbit-face"),
    Concept("bear", "bear", recolourable=True),
    Concept("koala", "koala"),
    Concept("tiger", "tiger-face", recolourable=True),
    Concept("lion", "lion", recolourable=True),
    Concept("cow", "cow-face"),
    Concept("pig", "pig-face", recolourable=True),
    Concept("monkey", "monkey-face", recolourable=True),
    Concept("mouse", "mouse-face"),
    Concept("hamster", "hamster", recolourable=True),
    Concept("polar bear", "polar-bear"),
    Concept("unicorn", "unicorn"),
    Concept("horse", "horse-face", recolourable=True),
    Concept("wolf", "wolf"),
    Concept("raccoon", "raccoon"),
    Concept("giraffe", "giraffe", recolourable=True),
    Concept("zebra", "zebra"),
    Concept("elephant", "elephant"),
    Concept("hippo", "hippopotamus", recolourable=True),
    Concept("kangaroo", "kangaroo", recolourable=True),
    Concept("sloth", "sloth", recolourable=True),
    Concept("hedgehog", "hedgehog"),
    Concept("squirrel", "chipmunk", recolourable=True),
    Concept("bat", "bat"),
    Concept("penguin", "penguin"),
    Concept("owl", "owl", recolourable=True),
    Concept("parrot", "parrot", recolourable=True),
    Concept("flamingo", "flamingo", recolourable=True),
    Concept("duck", "duck", recolourable=True),
    Concept("eagle", "eagle"),
    Concept("peacock", "peacock", recolourable=True),
    Concept("chick", "front-facing-baby-chick", recolourable=True),
    Concept("rooster", "rooster"),
    Concept("swan", "swan"),
    Concept("turtle", "turtle", recolourable=True),
    Concept("snake", "snake", recolourable=True),
    Concept("crocodile", "crocodile", recolourable=True),
    Concept("dinosaur", "t-rex", recolourable=True),
    Concept("dragon", "dragon-face", recolourable=True),
    Concept("whale", "spouting-whale", recolourable=True),
    Concept("dolphin", "dolphin", recolourable=True),
    Concept("shark", "shark"),
    Concept("crab", "crab", recolourable=True),
    Concept("lobster", "lobster", recolourable=True),
    Concept("jellyfish", "jellyfish", recolourable=True),
    Concept("snail", "snail", recolourable=True),
    Concept("bee", "honeybee"),
    Concept("spider", "spider"),
    Concept("scorpion", "scorpion"),
    Concept("caterpillar", "bug", recolourable=True),
    Concept("camel", "camel", recolourable=True),
    Concept("deer", "deer", recolourable=True),
    Concept("sheep", "ewe"),
    Concept("llama", "llama"),
    Concept("shell", "spiral-shell", recolourable=True),
    Concept("tangerine", "tangerine"),
    Concept("lemon", "lemon", recolourable=True),
    Concept("pear", "pear", recolourable=True),
    Concept("peach", "peach", recolourable=True),
    Concept("cherry", "cherries", recolourable=True),
    Concept("pineapple", "pineapple"),
    Concept("avocado", "avocado"),
    Concept("tomato", "tomato", recolourable=True),
    Concept("eggplant", "eggplant", recolourable=True),
    Concept("carrot", "carrot", recolourable=True),
    Concept("corn", "ear-of-corn"),
    Concept("broccoli", "broccoli", recolourable=True),
    Concept("chili", "hot-pepper", recolourable=True),
    Concept("croissant", "croissant", recolourable=True),
    Concept("pretzel", "pretzel", recolourable=True),
    Concept("pancake", "pancakes"),
    Concept("waffle", "waffle"),
    Concept("cheese", "cheese-wedge", recolourable=True),
    Concept("burger", "hamburger"),
    Concept("hot dog", "hot-dog"),
    Concept("taco", "taco"),
    Concept("cake", "birthday-cake", recolourable=True),
    Concept("cupcake", "cupcake", recolourable=True),
    Concept("pie", "pie"),
    Concept("cookie", "cookie"),
    Concept("candy", "candy", recolourable=True),
    Concept("lollipop", "lollipop", recolourable=True),
    Concept("ice cream", "soft-ice-cream"),
    Concept("coffee", "hot-beverage"),
    Concept("beer", "beer-mug", recolourable=True),
    Concept("cocktail", "tropical-drink", recolourable=True),
    Concept("rose", "rose", recolourable=True),
    Concept("tulip", "tulip", recolourable=True),
    Concept("hibiscus", "hibiscus", recolourable=True),
    Concept("daisy", "blossom", recolourable=True),
    Concept("palm tree", "palm-tree", recolourable=True),
    Concept("clover", "four-leaf-clover", recolourable=True),
    Concept("leaf", "maple-leaf", recolourable=True),
    Concept("cloud", "cloud"),
    Concept("snowflake", "snowflake", recolourable=True),
    Concept("lightning", "high-voltage", recolourable=True),
    Concept("fire", "fire", recolourable=True),
    Concept("drop", "droplet", recolourable=True),
    Concept("planet", "ringed-planet", recolourable=True),
    Concept("comet", "comet", recolourable=True),
    Concept("volcano", "volcano"),
    Concept("mountain", "snow-capped-mountain"),
    Concept("wave", "water-wave", recolourable=True),
    Concept("bus", "bus", recolourable=True),
    Concept("truck", "delivery-truck"),
    Concept("fire truck", "fire-engine"),
    Concept("ambulance", "ambulance"),
    Concept("taxi", "taxi"),
    Concept("police car", "police-car"),
    Concept("tractor", "tractor", recolourable=True),
    Concept("bicycle", "bicycle", recolourable=True),
    Concept("motorcycle", "motorcycle", recolourable=True),
    Concept("scooter", "motor-scooter", recolourable=True),
    Concept("train", "locomotive"),
    Concept("tram", "tram", recolourable=True),
    Concept("plane", "airplane", recolourable=True),
    Concept("helicopter", "helicopter", recolourable=True),
    Concept("ship", "ship", recolourable=True),
    Concept("sailboat", "sailboat", recolourable=True),
    Concept("ufo", "flying-saucer"),
    Concept("racing car", "racing-car", recolourable=True),
    Concept("skateboard", "skateboard", recolourable=True),
    Concept("castle", "castle", recolourable=True),
    Concept("tent", "tent", recolourable=True),
    Concept("church", "church"),
    Concept("tower", "tokyo-tower", recolourable=True),
    Concept("ferris wheel", "ferris-wheel"),
    Concept("fountain", "fountain"),
    Concept("alien", "alien"),
    Concept("monster", "alien-monster", recolourable=True),
    Concept("pumpkin", "jack-o-lantern", recolourable=True),
    Concept("clown", "clown-face"),
    Concept("skull", "skull"),
    Concept("smiley", "slightly-smiling-face", recolourable=True),
    Concept("santa", "santa-claus"),
    Concept("devil", "smiling-face-with-horns", recolourable=True),
    Concept("eye", "eye"),
    Concept("hand", "raised-hand", recolourable=True),
    Concept("brain", "brain", recolourable=True),
    Concept("bell", "bell", recolourable=True),
    Concept("book", "closed-book", recolourable=True),
    Concept("camera", "camera"),
    Concept("clock", "alarm-clock", recolourable=True),
    Concept("crown", "crown", recolourable=True),
    Concept("gem", "gem-stone", recolourable=True),
    Concept("dice", "game-die"),
    Concept("drum", "drum", recolourable=True),
    Concept("guitar", "guitar", recolourable=True),
    Concept("trumpet", "trumpet", recolourable=True),
    Concept("violin", "violin", recolourable=True),
    Concept("piano", "musical-keyboard"),
    Concept("key", "key", recolourable=True),
    Concept("lamp", "light-bulb", recolourable=True),
    Concept("candle", "candle"),
    Concept("lantern", "red-paper-lantern", recolourable=True),
    Concept("gift", "wrapped-gift", recolourable=True),
    Concept("hammer", "hammer"),
    Concept("axe", "axe"),
    Concept("magnet", "magnet", recolourable=True),
    Concept("telescope", "telescope"),
    Concept("hourglass", "hourglass-done"),
    Concept("laptop", "laptop"),
    Concept("television", "television"),
    Concept("football", "soccer-ball"),
    Concept("basketball", "basketball", recolourable=True),
    Concept("trophy", "trophy", recolourable=True),
    Concept("kite", "kite"),
    Concept("anchor", "anchor", recolourable=True),
    Concept("backpack", "backpack", recolourable=True),
    Concept("boot", "womans-boot", recolourable=True),
    Concept("sneaker", "running-shoe", recolourable=True),
    Concept("hat", "top-hat", recolourable=True),
    Concept("shirt", "t-shirt", recolourable=True),
    Concept("dress", "dress", recolourable=True),
    Concept("sock", "socks", recolourable=True),
    Concept("teddy bear", "teddy-bear", recolourable=True),
    Concept("pencil", "pencil", recolourable=True),
    Concept("palette", "artist-palette"),
    Concept("envelope", "envelope"),
    Concept("bomb", "bomb"),
    Concept("sword", "dagger"),
    Concept("bow", "ribbon", recolourable=True),
    Concept("lock", "locked", recolourable=True),
    Concept("parachute", "parachute"),
    Concept("wand", "magic-wand"),
    Concept("potion", "alembic", recolourable=True),
    Concept("feather", "feather", recolourable=True),
    Concept("yarn", "yarn", recolourable=True),
)

BACKGROUNDS: dict[str, RGB] = {
    "white": (255, 255, 255),
    "black": (16, 16, 18),
    "gray": (136, 138, 142),
    "red": (214, 44, 46),
    "orange": (250, 146, 36),
    "yellow": (252, 222, 72),
    "green": (62, 166, 74),
    "blue": (44, 110, 222),
    "purple": (134, 66, 190),
    "pink": (250, 160, 200),
}

# Hue in turns, as colorsys counts it.
HUES: dict[str, float] = {
    "red": 0.99,
    "orange": 0.08,
    "yellow": 0.14,
    "green": 0.35,
    "blue": 0.60,
    "purple": 0.77,
    "pink": 0.92,
}

SIZES = ("small", "big")
POSITIONS = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom"}
NUMBERS = {2: "two", 3: "three", 4: "four"}

# Backgrounds that are more than a colour, and how captions say them.
SCENERIES = {
    "meadow": "in a meadow",
    "beach": "on a beach",
    "snow": "in the snow",
    "desert": "in a desert",
    "sea": "under water",
    "night": "at night",
    "sunset": "at sunset",
    "space": "in space",
}
