"""One cloud in every form that other programs write gives the same columns, and a damaged one a line with its name."""

import numpy as np
import pytest
from pypcd4 import Encoding, PointCloud

from echoes.errors import InputError
from echoes.readers import cloud_files
from echoes.seeds import rng

NAMES = ("x", "y", "z", "v_r", "rcs")
ROWS = rng(0, "cloud files").uniform(-20, 20, (7, 5)).astype("<f4")
LINES = [[str(value) for value in row] for row in ROWS]


def ply(form, body, count=7, before="", kinds=("float",) * 5, newline="\n"):
    head = ["ply", f"format {form} 1.0", "comment end_header", *([before] if before else []), f"element vertex {count}"]
    head += [f"property {kind} {name}" for kind, name in zip(kinds, NAMES, strict=True)]
    head += ["element face 0", "property list uchar int vertex_index", "end_header", ""]
    return newline.join(head).encode() + body


def text(separator, names=None, point=".", newline="\n"):
    lines = [list(names or ()), *LINES] if names else LINES
    return newline.join(separator.join(line).replace(".", point) for line in lines) + newline


def pcd(encoding, path, rows=ROWS):
    PointCloud.from_points([rows[:, i] for i in range(5)], NAMES, [np.float32] * 5).save(path, encoding=encoding)


def saved(array, path):
    np.save(path, array)


def shortened(path, size):
    pcd(Encoding.BINARY, path)
    path.write_bytes(path.read_bytes()[:-size])


def structured():
    return np.ascontiguousarray(ROWS).view([(name, "<f4") for name in NAMES])[:, 0]


FORMS = {  # name -> what is written, as bytes or by a function, and the layout
    "little.ply": (ply("binary_little_endian", ROWS.tobytes()), ()),
    "big.ply": (ply("binary_big_endian", ROWS.astype(">f4").tobytes(), newline="\r\n"), ()),
    "ascii.ply": (ply("ascii", text(" ").encode(), before="obj_info a radar"), ()),
    "ascii.pcd": (lambda path: pcd(Encoding.ASCII, path), ()),
    "binary.pcd": (lambda path: pcd(Encoding.BINARY, path), ()),
    "compressed.PCD": (lambda path: pcd(Encoding.BINARY_COMPRESSED, path), ()),
    "fields.npy": (lambda path: saved(structured(), path), ()),
    "plain.npy": (lambda path: saved(ROWS.astype(">f8"), path), NAMES),
    "commas.csv": (text(",", NAMES).encode(), ()),
    "excel.csv": (text(";", NAMES, ",", "\r\n").encode("utf-8-sig"), ()),
    "savetxt.csv": (f"# {text(' ', NAMES)}".encode(), ()),
    "wide.csv": (text("\t", NAMES).encode("utf-16"), ()),
    "nameless.csv": (text(",").encode(), NAMES),
    "kitti.bin": (ROWS.tobytes(), NAMES),
}


def put(root, name, content):
    path = root / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_cloud_gives_the_same_columns(tmp_path, name):
    content, layout = FORMS[name]
    found = cloud_files.read(put(tmp_path, name, content), layout, ("rcs", "x", "v_r"))
    assert list(found) == ["rcs", "x", "v_r"]
    for column, values in found.items():
        np.testing.assert_array_equal(values.astype(np.float32), ROWS[:, NAMES.index(column)])


@pytest.mark.parametrize("name", [name for name in FORMS if not name.endswith(".csv")])
def test_a_file_that_was_cut_off_is_refused_by_name(tmp_path, name):
    content, layout = FORMS[name]
    path = put(tmp_path, name, content)
    path.write_bytes(path.read_bytes()[: int(-0.4 * len(ROWS) * 20)])
    with pytest.raises(InputError, match=rf"{name}: expected "):
        cloud_files.read(path, layout, NAMES)


@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("a.ply", ply("binary_little_endian", b"", 0), ()),
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 0\nend_header", ()),
        ("a.pcd", lambda path: pcd(Encoding.BINARY, path, ROWS[:0]), ()),
        ("a.npy", lambda path: saved(ROWS[:0], path), NAMES),
        ("a.csv", text(",", NAMES).splitlines()[0].encode(), ()),
        ("a.csv", b"", NAMES),
        ("a.bin", b"", NAMES),
    ],
)
def test_a_cloud_without_points_has_none(tmp_path, name, content, layout):
    found = cloud_files.read(put(tmp_path, name, content), layout, NAMES)
    assert {column: len(values) for column, values in found.items()} == dict.fromkeys(NAMES, 0)


def test_las_is_read_with_its_own_dimensions_and_refused_where_it_was_cut_off(tmp_path):
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales = np.full(3, 1e-3)
    header.add_extra_dim(laspy.ExtraBytesParams(name="v_r", type=np.float32))
    cloud = laspy.LasData(header)
    cloud.x, cloud.y, cloud.z = ROWS[:, :3].T
    cloud.v_r, cloud.intensity = ROWS[:, 3], np.arange(7)
    path = tmp_path / "a.las"
    cloud.write(path)
    found = cloud_files.read(path, (), ("x", "v_r", "intensity"))
    np.testing.assert_allclose(found["x"], ROWS[:, 0], atol=6e-4)
    np.testing.assert_array_equal(found["v_r"], ROWS[:, 3])
    assert found["intensity"].tolist() == list(range(7))
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:90], whole[:100] + b"\xff" * 4 + whole[104:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.las: expected LAS, got "):
            cloud_files.read(path, (), ["x"])


def test_a_single_point_is_one_row(tmp_path):
    path = put(tmp_path, "a.pcd", lambda path: pcd(Encoding.ASCII, path, ROWS[:1]))
    np.testing.assert_array_equal(cloud_files.read(path, (), ["y"])["y"], ROWS[:1, 1])


def test_bytes_without_sign_stay_so_and_text_beside_the_wanted_columns_is_passed_over(tmp_path):
    point = np.array(
        [(1, 2, 3, 200, 60000)], [(n, f"<{k}") for n, k in zip(NAMES, ["f4"] * 3 + ["u1", "u2"], strict=True)]
    )
    kinds = ("float32", "float", "float", "uchar", "uint16")
    path = put(tmp_path, "a.ply", ply("binary_little_endian", point.tobytes(), 1, kinds=kinds))
    assert {n: v.tolist() for n, v in cloud_files.read(path, (), ["v_r", "rcs"]).items()} == {
        "v_r": [200],
        "rcs": [60000],
    }
    path = put(tmp_path, "a.csv", b'x,"label",v_r\n1,car,"2.5"\n')
    assert cloud_files.read(path, (), ["v_r", "x"])["v_r"].tolist() == [2.5]


@pytest.mark.parametrize(
    ("name", "content", "layout", "message"),
    [
        ("a.ply", b"solid x\n", (), r"expected PLY that begins with its vertices, got no lines from `ply`"),
        ("a.ply", ply("ascii", b"", before="element camera 1"), (), r"got another element than `vertex` first"),
        ("a.ply", ply("binary_little_endian", ROWS.tobytes(), 10**15), (), r"got 140 bytes for 10{15} points"),
        ("a.ply", ply("ascii", b"", -1), (), r"got 0 bytes for -1 points"),
        ("a.ply", ply("ascii", b"1 2 3 4\n", 1), (), r"got the shape \(1, 4\) and 5 names"),
        ("a.ply", ply("ascii", b"1 2 3 4 5\n", 1), NAMES, r"got a layout for columns that have names"),
        ("a.ply", ply("ascii", b"", 0).replace(b"float x", b"list int int x"), (), r"got the property list int int x"),
        ("a.pcd", b"VERSION 0.7\nFIELDS x y\n", (), r"expected PCD, got "),
        ("a.pcd", lambda path: shortened(path, 20), (), r"expected PCD, got 6 of 7 points"),
        ("a.npy", lambda path: saved(np.array([{}]), path), NAMES, r"expected a whole \.npy file, got: "),
        ("a.npy", lambda path: saved(ROWS, path), NAMES[:4], r"got the shape \(7, 5\) and 4 names"),
        ("a.npy", lambda path: saved(structured(), path), NAMES, r"got a layout for columns that have names"),
        ("a.npy", lambda path: saved(ROWS.astype("c8"), path), NAMES, r"single numbers in the column x, got complex64"),
        ("a.csv", b"", (), r"expected a line of names and lines of numbers, or lines .*, got an empty file"),
        ("a.csv", b"x,y\n1,2\n", (), r"expected the columns z, v_r, rcs, got x, y"),
        ("a.csv", text(",").encode(), (), r"expected the columns x, y, z, v_r, rcs, got "),
        ("a.csv", text(",", NAMES).encode(), NAMES, r"got could not convert string 'x' to float64"),
        ("a.csv", b"x,y,z,v_r,rcs\n1,2,3,4\n", (), r"got 4 columns in a line and 5 names"),
        ("a.csv", b"x,x,z,v_r,rcs\n1,2,3,4,5\n", (), r"got a name twice in x, x, z, v_r, rcs"),
        ("a.csv", b"x,y,z,v_r,rcs\n1,2,3,4,\n", (), r"got could not convert string ''"),
        ("a.csv", b"\xff\x00\x81", (), r"expected a line of names"),
        ("a.bin", ROWS.tobytes(), (), r"expected rows of float32 whose columns `layout` names, got 140 bytes and 0"),
        ("a.bin", ROWS.tobytes(), NAMES[:3], r"got 140 bytes and 3 names"),
    ],
)
def test_what_is_no_cloud_is_told_in_one_line(tmp_path, name, content, layout, message):
    with pytest.raises(InputError, match=rf"^{tmp_path}/{name}: .*{message}"):
        cloud_files.read(put(tmp_path, name, content), layout, NAMES)
