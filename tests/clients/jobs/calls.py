"""Calls the URL that it is given."""
import sys
import urllib.request

print(urllib.request.urlopen(sys.argv[1], timeout=5).status)
