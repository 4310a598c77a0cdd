"""Set the bundled example songs and write them: `python -m examples.compose [FOLDER]`.

Where the notes are from, all long in the public domain:

- `canon.mid`: Johann Pachelbel, Canon in D for three violins and basso continuo (about 1690), bars 1-14 and
  a close. The violins and the bass are Pachelbel's; the figured bass is realised here for harpsichord.
- `prelude.mid`: Johann Sebastian Bach, Prelude in C major BWV 846 (1722), bars 1-19 and a close. The flute
  line and the strings were written for this project.
- `tour.mid`: "When the Saints Go Marching In", traditional, arranged here so that all sixteen General MIDI
  families and the drum channel play.

The same seed gives the same bytes.
"""
