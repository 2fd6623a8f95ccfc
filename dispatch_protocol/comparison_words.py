"""The 256 words of a comparison, each standing for one byte: easy to say, and hard to mistake for one another.

No two begin with the same four letters, and any two differ in at least three, so that one misheard letter is no match.
They are bytes of the protocol: their order never changes.
"""

from typing import Final

_IN_ORDER: Final = """
acorn album alley amber anchor anvil apple apron artist aspen attic autumn award badge balloon bamboo
banana banjo basket beacon beaver bicycle biscuit bishop blossom bonfire bottle boulder branch brick
bronze bubble buffalo butter cabin cactus camel candle canvas captain carpet cedar chalk cherry chimney
cinnamon clarinet clover cobalt coconut coffee copper cotton cousin crayon cricket crystal cushion
cymbal daisy dancer dentist desert diamond dolphin donkey drummer eagle echo elbow elephant emerald
engine envelope evening fabric falcon farmer feather fiddle finger flamingo flute forest fossil fountain
freckle fruit garden garlic gazelle giraffe glacier goblet gorilla granite grape guitar hammock harbor
harvest hedgehog helmet horizon hotel iceberg igloo indigo island ivory jaguar jasmine jelly jersey
jigsaw jungle juniper kayak kernel kingdom kitchen koala ladder lagoon lantern lavender lemon leopard
library lilac lizard lobster locket magnet mailbox marble meadow mermaid meteor mirror mitten mosaic
muffin museum mustard napkin nectar needle nephew nickel notebook nutmeg oasis oatmeal ocean octopus
olive onion opera orange orchid oregano ostrich pancake panda paper parrot pasture peanut pelican pencil
penguin piano picnic pillow pirate poetry polar pony potato prism pumpkin puppet puzzle python quarry
queen quilt quiver rabbit raccoon radio rainbow raisin raven rhubarb ribbon roof ruby saffron sailor
sapphire satchel sausage scarf school scooter sculptor seagull shelter shepherd signal silver skeleton
slipper soccer spider spinach sponge squirrel stadium statue stereo sugar sunset swallow tapestry teacup
temple tennis thimble thunder toast torch tractor trombone trumpet tulip tundra tunnel turtle umbrella
unicorn vanilla village vineyard violin volcano vulture waffle walnut whistle windmill wrestler yogurt
zebra
"""
WORDS: Final = tuple(_IN_ORDER.split())
