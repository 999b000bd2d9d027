"""python -m netsuke"""

from .cli import main

main()
