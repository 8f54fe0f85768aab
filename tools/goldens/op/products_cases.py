# SPDX-License-Identifier: Apache-2.0
"""Cases of the products: MatMul, Gemm, Einsum and the integer ones."""
import ml_dtypes
import numpy as np
from case import Case, Constant

F32, F64, F16 = np.float32, np.float64, np.float16


def matmuls(rng):
    def normal(*shape):
        return rng.standard_normal(shape).astype(F32)

    def case(name, a, b, constant=False):
        wide = [v.astype(F64 if v.dtype.kind not in "iu" else v.dtype) for v in (a, b)]
        return Case("matmul", name, "MatMul", [a, Constant(b) if constant else b], expected=[np.matmul(*wide).astype(a.dtype)])
    for constant in (False, True):
        k = ", constant" if constant else ""
        yield case("matrices" + k, normal(3, 4), normal(4, 5), constant)
        yield case("enough rows" + k, normal(9, 7), normal(7, 9), constant)
        yield case("vector left" + k, normal(4), normal(4, 5), constant)
        yield case("vector right" + k, normal(3, 4), normal(4), constant)
        yield case("vectors" + k, normal(4), normal(4), constant)
        yield case("one column" + k, normal(9, 4), normal(4, 1), constant)
        yield case("batch left" + k, normal(2, 3, 2, 4), normal(4, 5), constant)
        yield case("batches" + k, normal(2, 3, 2, 4), normal(2, 3, 4, 5), constant)
        yield case("batches broadcast" + k, normal(2, 1, 9, 4), normal(3, 4, 8), constant)
        yield case("batch right" + k, normal(3, 4), normal(2, 4, 5), constant)
        yield case("vector, batch" + k, normal(4), normal(2, 4, 5), constant)
        yield case("batch, vector" + k, normal(2, 3, 4), normal(4), constant)
        yield case("batch of one" + k, normal(2, 3, 4), normal(1, 1, 4, 5), constant)
        yield case("no rows" + k, normal(0, 4), normal(4, 5), constant)
        yield case("no sum" + k, normal(9, 0), normal(0, 9), constant)
        yield case("no columns" + k, normal(3, 4), normal(4, 0), constant)
        yield case("no batch" + k, normal(0, 3, 4), normal(0, 4, 5), constant)
        yield case("halves" + k, normal(9, 4).astype(F16), normal(4, 9).astype(F16), constant)
        yield case("few halves" + k, normal(2, 4).astype(F16), normal(4, 3).astype(F16), constant)
        yield case("bf16" + k, normal(9, 4).astype(ml_dtypes.bfloat16), normal(4, 9).astype(ml_dtypes.bfloat16), constant)
        yield case("double" + k, normal(2, 3, 4).astype(F64), normal(4, 5).astype(F64), constant)
        for dtype in (np.int32, np.int64, np.uint32, np.uint64):
            low = 0 if np.dtype(dtype).kind == "u" else -9
            yield case(np.dtype(dtype).name + k, rng.integers(low, 9, (2, 3, 4)).astype(dtype), rng.integers(low, 9, (4, 2)).astype(dtype), constant)
    big = np.array([[2**31 - 1, 2]], np.int32)
    yield case("wraps", big, np.array([[2], [3]], np.int32))


def gemms(rng):
    def normal(*shape):
        return rng.standard_normal(shape).astype(F32)

    def case(name, a, b, c=None, attributes=None, constant=False):
        at = attributes or {}
        x, w = a.astype(F64), b.astype(F64)
        y = at.get("alpha", 1.0) * ((x.T if at.get("transA") else x) @ (w.T if at.get("transB") else w))
        y = y + (0 if c is None else at.get("beta", 1.0) * c.astype(F64))
        return Case("gemm", name, "Gemm", [a, Constant(b) if constant else b] + ([] if c is None else [c]), attributes,
                    expected=[(np.trunc(y) if a.dtype.kind in "iu" else y).astype(a.dtype)])
    for constant in (False, True):
        k = ", constant" if constant else ""
        for m in (3, 9):
            yield case(f"{m}" + k, normal(m, 4), normal(4, 8), None, None, constant)
            yield case(f"{m} turned a" + k, normal(4, m), normal(4, 8), normal(8), {"transA": 1}, constant)
            yield case(f"{m} turned b" + k, normal(m, 10), normal(8, 10), normal(1, 8), {"transB": 1}, constant)
            yield case(f"{m} turned" + k, normal(4, m), normal(8, 4), normal(m, 8), {"transA": 1, "transB": 1}, constant)
            yield case(f"{m} factors" + k, normal(m, 4), normal(4, 8), normal(m, 1), {"alpha": 0.5, "beta": -2.0}, constant)
            yield case(f"{m} alpha" + k, normal(m, 4), normal(4, 8), None, {"alpha": 0.5}, constant)
            yield case(f"{m} alpha, row" + k, normal(m, 4), normal(4, 8), normal(8), {"alpha": 0.5}, constant)
            yield case(f"{m} beta, row" + k, normal(m, 4), normal(4, 8), normal(8), {"beta": 0.5}, constant)
            yield case(f"{m} scalar" + k, normal(m, 4), normal(4, 8), np.array(3.25, F32), {}, constant)
            yield case(f"{m} one" + k, normal(m, 4), normal(4, 8), normal(1), {}, constant)
        yield case("no sum" + k, normal(9, 0), normal(0, 8), normal(8), {}, constant)
        yield case("no rows" + k, normal(0, 3), normal(3, 8), normal(8), {}, constant)
        yield case("halves" + k, normal(9, 4).astype(F16), normal(8, 4).astype(F16), normal(8).astype(F16), {"transB": 1}, constant)
        yield case("double" + k, normal(4, 3).astype(F64), normal(4, 5).astype(F64), normal(3, 1).astype(F64), {"transA": 1, "alpha": 1.5}, constant)
    for dtype in (np.int32, np.int64, np.uint32, np.uint64):
        a, b, c = (rng.integers(0, 9, s).astype(dtype) for s in ((2, 3), (3, 4), (4,)))
        yield case(np.dtype(dtype).name, a, b, c)
        yield case(np.dtype(dtype).name + " factors", a, b, c, {"alpha": 0.5, "beta": 1.5})
    yield case("beta 0", normal(2, 3), normal(3, 2), normal(2), {"beta": 0.0})
    yield Case("gemm", "negative", "Gemm", [np.array([[-3]], np.int32), np.array([[5]], np.int32)], {"alpha": 0.5},
               expected=[np.array([[-7]], np.int32)])


def einsums(rng):
    def case(equation, *shapes, dtype=F32, written=None):
        arrays = [(rng.integers(0, 5, s) if np.dtype(dtype).kind in "iu" else rng.standard_normal(s)).astype(dtype) for s in shapes]
        wide = [a.astype(F64) for a in arrays]
        y = np.asarray(np.einsum(written or equation, *wide)).astype(dtype)
        return Case("einsum", equation + " " + np.dtype(dtype).name, "Einsum", arrays, text=f'Einsum {{equation="{equation}"}}', expected=[y])
    for dtype in (F32, F64, F16, np.int32, np.uint8):
        yield case("ij,jk->ik", (9, 4), (4, 8), dtype=dtype)
        yield case("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4), dtype=dtype)
        yield case("ij->j", (3, 4), dtype=dtype)
    for equation, *shapes in (
            ("bhij,bhjd->bhid", (2, 2, 9, 4), (2, 2, 4, 8)), ("bihd,bjhd->bhij", (2, 9, 2, 4), (2, 8, 2, 4)),
            ("bhij,bjhd->bihd", (2, 3, 9, 8), (2, 8, 3, 8)), ("ij,jk", (2, 3), (3, 4)), ("ba", (2, 3)), ("Ba,aB", (2, 3), (3, 2)),
            ("ij->ji", (3, 4)), ("ii->i", (4, 4)), ("ii", (4, 4)), ("ii->", (4, 4)), ("bii->bi", (2, 3, 3)), ("iji->j", (3, 2, 3)),
            ("i,j->ij", (3,), (4,)), ("i,i->", (5,), (5,)), ("i,i->i", (5,), (5,)), ("ij,ij->ij", (3, 4), (3, 4)), ("ij,i->", (3, 4), (3,)),
            ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("...ij,jk", (2, 3, 4), (4, 2)), ("...i->...", (2, 3, 4)), ("i...->...i", (2, 3, 4)),
            ("a...b,b...->a...", (2, 3, 4), (4, 3)), ("...,...", (2, 3), (3,)), ("...ii->...i", (2, 3, 3)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
            ("ij,jk,kl,lm->mi", (2, 3), (3, 4), (4, 5), (5, 2)), ("abc,abd,ae->cde", (2, 3, 4), (2, 3, 5), (2, 6)), ("ij,kj->ik", (9, 4), (8, 4)),
            ("ji,kj->ik", (4, 9), (8, 4)), (",ij->ij", (), (2, 3)), (",", (), ()), ("ij,k->ij", (2, 3), (4,)), ("ij,ij->i", (2, 1), (2, 3)),
            ("i,ij->j", (3,), (3, 4)), (" b i j , b j -> b i ", (2, 3, 4), (2, 4)), ("ij,jk->ik", (0, 4), (4, 2)), ("ij,jk->ki", (3, 0), (0, 2)),
            ("abcdef,fg->gabcde", (1, 2, 1, 2, 3, 2), (2, 3)), ("bhwij,bhwj->bhi", (2, 2, 2, 3, 4), (2, 2, 2, 4))):
        yield case(equation, *shapes)


def integers(rng):
    def data(dtype, *shape):
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max + 1, shape).astype(dtype)

    def zeros(z, shape, left):
        """A zero point as something that broadcasts."""
        z = np.asarray(0 if z is None else z).astype(np.int64)
        return z.reshape(-1, 1) if left and z.ndim == 1 and z.size != 1 else z
    shapes = (((3, 4), (4, 5)), ((2, 9, 40), (2, 40, 7)), ((2, 3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((0, 4), (4, 2)), ((2, 0), (0, 2)))
    for left in (np.uint8, np.int8):
        for right in (np.uint8, np.int8):
            for a_shape, b_shape in shapes:
                for points in (0, 1, 2):
                    for constant in (False, True):
                        if constant and (points != 1 and a_shape != (3, 4)):
                            continue
                        a, b = data(left, *a_shape), data(right, *b_shape)
                        az = [None, data(left), data(left, a_shape[-2] if len(a_shape) > 1 else 1)][points]
                        bz = [None, data(right, 1), data(right, b_shape[-1] if len(b_shape) > 1 else 1)][points]
                        y = np.matmul(a.astype(np.int64) - zeros(az, a_shape, True), b.astype(np.int64) - zeros(bz, b_shape, False))
                        hold = Constant if constant else (lambda v: v)
                        inputs = [a, hold(b)] + ([] if az is None else [az, hold(bz)])
                        yield Case("matmul_integer", f"{np.dtype(left).name} {np.dtype(right).name} {a_shape} {b_shape} {points}" +
                                   (", constant" if constant else ""), "MatMulInteger", inputs, expected=[y.astype(np.int32)])
    only = data(np.uint8, 2, 3), data(np.int8, 3, 2), np.array(3, np.int8)
    yield Case("matmul_integer", "right point alone", "MatMulInteger", [only[0], only[1], None, only[2]],
               expected=[(only[0].astype(np.int64) @ (only[1].astype(np.int64) - 3)).astype(np.int32)])
    for left, right in ((np.uint8, np.uint8), (np.int8, np.int8), (np.uint8, np.int8)):
        for name, a_shape, b_shape in (("matrices", (3, 4), (4, 5)), ("batches", (2, 9, 40), (2, 40, 7)), ("shared", (2, 3, 4), (4, 5))):
            for per in (False, True):
                for constant in (False, True):
                    a, b = data(left, *a_shape), data(right, *b_shape)
                    rows, columns = a_shape[-2], b_shape[-1]
                    sa = rng.uniform(0.01, 0.02, (rows,) if per else ()).astype(F32)
                    sb = rng.uniform(0.01, 0.02, (columns,) if per else (1,)).astype(F32)
                    az, bz, yz = data(left, *sa.shape), data(right, *sb.shape), np.array(3, left)
                    sy = np.array(0.25, F32)
                    x = (a.astype(np.int64) - zeros(az, a_shape, True)) * (sa.astype(F64).reshape(-1, 1) if per else sa.astype(F64))
                    w = (b.astype(np.int64) - zeros(bz, b_shape, False)) * sb.astype(F64)
                    info = np.iinfo(left)
                    y = np.clip(np.rint(np.matmul(x, w) / float(sy)) + 3, info.min, info.max).astype(left)
                    hold = Constant if constant else (lambda v: v)
                    yield Case("qlinear_matmul", f"{name} {np.dtype(left).name} {np.dtype(right).name} {'each' if per else 'all'}" +
                               (", constant" if constant else ""), "QLinearMatMul",
                               [a, sa, az, hold(b), hold(sb), hold(bz), sy, yz], expected=[y])


def cases():
    rng = np.random.default_rng(3)
    for part in (matmuls, gemms, einsums, integers):
        yield from part(rng)
