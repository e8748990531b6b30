"""Cards of people as programs exchange them (vCard): content lines, what they say, files with many.

`lines` turns octets into properties, `vcard` says what a card tells of somebody, `splitting` finds the cards in a file,
`writing` makes new ones.  A card is kept as it came; what is read from it is for finding it again.
"""
