"""`python -m web.demo`: plays the demonstration's past."""

from web.demo.past import main

main()
