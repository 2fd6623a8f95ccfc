from sandbox.wall.overlay import id_map


def test_an_ordinary_user_maps_itself() -> None:
    assert id_map(1000, "0 0 4294967295\n", privileged=False) == "1000 1000 1\n"


def test_a_privileged_launcher_maps_what_it_can_name_to_itself() -> None:
    parent = "         0          0 4294967295\n"
    assert id_map(0, parent, privileged=True) == "0 0 4294967295\n"
    assert id_map(0, "0 100000 65536\n70000 1 1\n", privileged=True) == "0 0 65536\n70000 70000 1\n"
