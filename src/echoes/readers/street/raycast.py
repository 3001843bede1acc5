"""Rays against the shapes of a street and its ground: where each ray first hits, and what."""

import numba
import numpy as np

from echoes.readers.street.shapes import BOX, CYLINDER, Shapes

GROUND = -1  # what a ray hits: the index of a shape, or one of these
NOTHING = -2


def cast(
    origin: np.ndarray, directions: np.ndarray, shapes: Shapes, ground_m: float, max_range_m: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow each ray to its first hit within `max_range_m`.

    origin      (3,) [m], outside of the shapes.
    directions  (N, 3), unit vectors.
    ground_m    height of the ground plane in the frame of the shapes.
    returns     range (N,) [m], infinite where nothing is hit; what (N,) int64, the index of the shape,
                GROUND or NOTHING; cosine (N,) of the angle between the ray and the surface's normal.
    """
    offsets = shapes.centre - origin
    nearest = np.hypot(offsets[:, 0], offsets[:, 1]) - shapes.reach_m
    # nearest first: a ray stops looking where the rest begins behind its hit
    order = np.argsort(nearest, kind="stable")
    order = order[nearest[order] < max_range_m]
    return _cast(
        np.ascontiguousarray(directions, dtype=np.float64),
        shapes.kind[order],
        offsets[order],
        shapes.half[order],
        np.column_stack([np.cos(shapes.yaw_rad), np.sin(shapes.yaw_rad), shapes.reach_m, nearest])[order],
        order,
        ground_m - origin[2],
        max_range_m,
    )


@numba.njit(cache=True)
def _cast(directions, kind, offsets, half, turn, names, ground, max_range):  # type: ignore[no-untyped-def]
    count = len(directions)
    ranges, what, cosine = np.full(count, np.inf), np.full(count, NOTHING), np.zeros(count)
    for i in range(count):
        dx, dy, dz = directions[i]
        level = np.sqrt(dx * dx + dy * dy)
        best, hit, facing = max_range, NOTHING, 0.0
        if dz < 0 and ground / dz < best:
            best, hit, facing = ground / dz, GROUND, -dz
        for k in range(len(kind)):
            cx, cy, cz = offsets[k]
            cos, sin, reach, nearest = turn[k]
            if nearest > best * level:
                break
            along = cx * dx + cy * dy
            if abs(cx * dy - cy * dx) > reach * level or along < -reach * level:
                continue
            hx, hy, hz = half[k]
            # the ray in the frame where the shape is a unit cube, cylinder or sphere
            ox, oy, oz = -(cos * cx + sin * cy) / hx, (sin * cx - cos * cy) / hy, -cz / hz
            ux, uy, uz = (cos * dx + sin * dy) / hx, (cos * dy - sin * dx) / hy, dz / hz
            if kind[k] == BOX:
                t, nx, ny, nz = _cube(ox, oy, oz, ux, uy, uz)
            elif kind[k] == CYLINDER:
                t, nx, ny, nz = _cylinder(ox, oy, oz, ux, uy, uz)
            else:
                t, nx, ny, nz = _sphere(ox, oy, oz, ux, uy, uz)
            if 0 < t < best:
                nx, ny, nz = nx / hx, ny / hy, nz / hz  # gradients scale with the inverse
                slope = nx * ux * hx + ny * uy * hy + nz * uz * hz
                best, hit = t, names[k]
                facing = -slope / np.sqrt(nx * nx + ny * ny + nz * nz)
        if hit != NOTHING:
            ranges[i], what[i], cosine[i] = best, hit, facing
    return ranges, what, cosine


@numba.njit(cache=True)
def _cube(ox, oy, oz, ux, uy, uz):  # type: ignore[no-untyped-def]
    """Distance to the cube from -1 to 1 and its normal there; infinite where the ray passes (slab method)."""
    enter, leave, axis = -np.inf, np.inf, 0
    for a in range(3):
        o = ox if a == 0 else oy if a == 1 else oz
        u = ux if a == 0 else uy if a == 1 else uz
        if u == 0:
            if abs(o) > 1:
                return np.inf, 0.0, 0.0, 0.0
            continue
        near, far = (-np.sign(u) - o) / u, (np.sign(u) - o) / u
        if near > enter:
            enter, axis = near, a
        leave = min(leave, far)
    if enter > leave:
        return np.inf, 0.0, 0.0, 0.0
    return (
        enter,
        -np.sign(ux) if axis == 0 else 0.0,
        -np.sign(uy) if axis == 1 else 0.0,
        -np.sign(uz) if axis == 2 else 0.0,
    )


@numba.njit(cache=True)
def _entry(a, b, c):  # type: ignore[no-untyped-def]
    """The smaller root of a t^2 + 2 b t + c, infinite where there is none."""
    root = b * b - a * c
    return (-b - np.sqrt(root)) / a if a > 0 and root >= 0 else np.inf


@numba.njit(cache=True)
def _cylinder(ox, oy, oz, ux, uy, uz):  # type: ignore[no-untyped-def]
    """Distance to the cylinder of radius 1 from z = -1 to 1 and its normal there."""
    t = _entry(ux * ux + uy * uy, ox * ux + oy * uy, ox * ox + oy * oy - 1)
    if abs(oz + t * uz) <= 1:
        return t, ox + t * ux, oy + t * uy, 0.0
    if uz != 0:
        t = (-np.sign(uz) - oz) / uz
        if (ox + t * ux) ** 2 + (oy + t * uy) ** 2 <= 1:
            return t, 0.0, 0.0, -np.sign(uz)
    return np.inf, 0.0, 0.0, 0.0


@numba.njit(cache=True)
def _sphere(ox, oy, oz, ux, uy, uz):  # type: ignore[no-untyped-def]
    """Distance to the unit sphere and its normal there."""
    t = _entry(ux * ux + uy * uy + uz * uz, ox * ux + oy * uy + oz * uz, ox * ox + oy * oy + oz * oz - 1)
    return t, ox + t * ux, oy + t * uy, oz + t * uz
