"""What a trained network does: ten analyses, each a table with units, a picture and a null."""
