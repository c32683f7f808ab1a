"""Views of game levels and furnished rooms with exact depth, to train depth networks on: drawn by OpenGL in software, on a CPU.

`python -m refocus_core.train.levels` makes them; docs/depth-data.md says from what. Depends on moderngl (extra `train`).

    geometry    triangles, rays, Bézier patches            archive     files, materials and textures of a game
    camera      where it stands and how it looks           bsp, md3    levels and models in Quake 3's formats
    meshes      boxes, ellipsoids, cylinders, cards        cutouts     photographs cut out along their outline
    drawing     colour and depth of triangles              exposure    from the light drawn to the pixels of a photo
    visit       a level as a place to take photos in       rooms       furnished rooms and table-tops by rules
    props       furniture, people, plants                  stage       their surfaces, and where they stand
    skies       photos behind everything                   view        a scene, and the photo taken of it
    sources     the packages, their licences               shards      slices on the disk, made in any order
"""
