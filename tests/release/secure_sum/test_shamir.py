"""Shares give the secret back, too few say nothing, and others' code reads ours."""

import itertools

import numpy as np
import pyshamir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from unsilent.errors import SecureSumError
from unsilent.release.secure_sum.shamir import MOST_HOLDERS, combine, split


def drawn(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def product(a, b, modulus=0x11B):
    """a b in the field of that modulus, bit by bit."""
    high = 1 << modulus.bit_length() - 2
    result = 0
    while b:
        result ^= a if b & 1 else 0
        a = (a << 1) ^ (modulus if a & high else 0)
        b >>= 1
    return result


def value(coefficients, point, modulus=0x11B):
    """A polynomial's value, constant term first, by its definition."""
    total, power = 0, 1
    for coefficient in coefficients:
        total ^= product(coefficient, power, modulus)
        power = product(power, point, modulus)
    return total


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_threshold_shares_or_more_give_the_secrets(data):
    holders = data.draw(st.integers(1, 255), label="holders")
    threshold = data.draw(st.integers(1, min(holders, 40)), label="threshold")
    count = data.draw(st.integers(threshold, min(holders, threshold + 3)), label="shares")
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed")
    order = np.random.default_rng(seed).permutation(holders)[:count]
    secrets = drawn(3, seed)
    shares = split(secrets, holders, threshold)
    assert shares.shape == (holders, 3, 32)
    assert shares.dtype == np.uint8
    np.testing.assert_array_equal(combine(order + 1, shares[order]), secrets)


def test_each_secret_may_come_from_other_holders():
    secrets = drawn(7)
    shares = split(secrets, 20, 5)
    generator = np.random.default_rng(1)
    rows = np.stack([generator.permutation(20)[:5] for _ in range(7)], axis=1)
    chosen = np.take_along_axis(shares, rows[:, :, None], axis=0)
    np.testing.assert_array_equal(combine(rows + 1, chosen), secrets)


def test_shares_are_values_of_the_polynomial_whose_coefficients_are_drawn():
    secrets = drawn(1)
    random = drawn(2, seed=5).tobytes()  # degree 2, one secret
    shares = split(secrets, 255, 3, random=lambda size: random[:size])
    high, low = np.frombuffer(random, dtype=np.uint8).reshape(2, 32).tolist()
    for holder, byte in itertools.product((0, 1, 100, 254), (0, 31)):
        expected = value([int(secrets[0, byte]), low[byte], high[byte]], holder + 1)
        assert shares[holder, 0, byte] == expected


def test_extreme_bytes_come_back():
    secrets = np.array([[0] * 32, [255] * 32], dtype=np.uint8)
    for random in (bytes, lambda size: b"\xff" * size):
        shares = split(secrets, 6, 4, random=random)
        np.testing.assert_array_equal(combine([6, 2, 4, 1], shares[[5, 1, 3, 0]]), secrets)


def test_pyshamir_reads_our_shares():
    secrets = drawn(2)
    shares = split(secrets, 9, 4)
    for number, secret in enumerate(secrets):
        theirs = [bytes(shares[h, number]) + bytes([h + 1]) for h in (8, 0, 3, 5)]
        assert bytes(pyshamir.combine([bytearray(s) for s in theirs])) == secret.tobytes()


def test_we_read_pyshamirs_shares():
    secret = drawn(1)
    theirs = [bytes(share) for share in pyshamir.split(secret.tobytes(), 8, 3)][2:5]
    points = [share[-1] for share in theirs]
    shares = np.frombuffer(b"".join(s[:-1] for s in theirs), dtype=np.uint8).reshape(3, 1, 32)
    np.testing.assert_array_equal(combine(points, shares), secret)


def test_one_share_too_few_is_uniform_whatever_the_secret():
    """With two of three shares fixed, the third unknown: each value of a byte equally often."""
    generator = np.random.default_rng(11)
    for byte in (0, 255):
        secrets = np.full((4000, 32), byte, dtype=np.uint8)
        shares = split(secrets, 5, 3, random=generator.bytes)
        # Jointly uniform: the pair of two holders' bytes, folded to 256 cells.
        pair = shares[1] ^ np.roll(shares[4], 1, axis=1)
        for seen in (shares[1], shares[4], pair, combine([2, 5], shares[[1, 4]])):
            counts = np.bincount(seen.ravel(), minlength=256)
            assert stats.chisquare(counts).pvalue > 1e-4


def test_one_share_too_few_gives_another_secret():
    secrets = drawn(64)
    shares = split(secrets, 10, 6)
    assert (combine(range(1, 6), shares[:5]) == secrets).mean() < 0.02


def test_the_randomness_is_fresh_each_time():
    secrets = drawn(1)
    assert not np.array_equal(split(secrets, 3, 2), split(secrets, 3, 2))


def test_combining_is_linear_so_shares_of_a_sum_are_sums_of_shares():
    one, two = drawn(2, seed=1), drawn(2, seed=2)
    both = split(one, 5, 3) ^ split(two, 5, 3)
    np.testing.assert_array_equal(combine([1, 3, 5], both[[0, 2, 4]]), one ^ two)


@pytest.mark.parametrize(("holders", "threshold"), [(65_536, 2), (3, 4), (3, 0), (0, 0)])
def test_sharing_that_cannot_be_is_refused(holders, threshold):
    with pytest.raises(SecureSumError, match="cannot be shared"):
        split(drawn(1), holders, threshold)


def test_secrets_of_another_size_are_refused():
    with pytest.raises(SecureSumError, match="32 bytes"):
        split(drawn(1)[:, :31], 3, 2)
    with pytest.raises(SecureSumError, match="32 bytes"):
        split(drawn(1).astype(np.int64), 3, 2)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([1, 1, 2], "same point"),
        ([0, 1, 2], "not in 1..255"),
        ([1, 2, 256], "not in 1..255"),
        ([1, 2, 65_537], "not in 1..255"),
        ([1, 2], "do not fit"),
        ([], "do not fit"),
        ([[1, 1, 1], [2, 2, 2], [3, 3, 3]], "do not fit"),
    ],
)
def test_points_that_do_not_fit_are_refused(points, message):
    with pytest.raises(SecureSumError, match=message):
        combine(points, split(drawn(2), 5, 3)[:3])


# --- more than 255 holders: GF(2^16) ---------------------------------------------------------


WIDE = 0x1100B
"""The modulus of GF(2^16)."""


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_threshold_of_many_holders_give_the_secrets(data):
    holders = data.draw(st.integers(256, 700) | st.just(4000), label="holders")
    threshold = data.draw(st.integers(1, 40), label="threshold")
    count = threshold + data.draw(st.integers(0, 3), label="more")
    seed = data.draw(st.integers(0, 2**32 - 1), label="seed")
    order = np.random.default_rng(seed).permutation(holders)[:count]
    secrets = drawn(3, seed)
    shares = split(secrets, holders, threshold)
    assert shares.shape == (holders, 3, 32)
    assert shares.dtype == np.uint8
    np.testing.assert_array_equal(combine(order + 1, shares[order], holders), secrets)


def test_the_threshold_of_a_hundred_thousand_clients_gives_the_secrets():
    secrets = drawn(2)
    shares = split(secrets, 258, 173)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(258)[:173]
        np.testing.assert_array_equal(combine(order + 1, shares[order], 258), secrets)
        fewer = combine(order[1:] + 1, shares[order[1:]], 258)
        assert (fewer == secrets).mean() < 0.1


def test_the_last_points_of_the_larger_field_are_holders_too():
    secrets = drawn(1)
    shares = split(secrets, MOST_HOLDERS, 2)
    last = [MOST_HOLDERS, MOST_HOLDERS - 1]
    np.testing.assert_array_equal(combine(last, shares[[-1, -2]], MOST_HOLDERS), secrets)


def test_shares_of_many_are_values_of_the_polynomial_whose_coefficients_are_drawn():
    secrets = drawn(1)
    random = drawn(2, seed=5).tobytes()  # degree 2, one secret
    shares = split(secrets, 300, 3, random=lambda size: random[:size]).view("<u2")
    constant = secrets.view("<u2")
    high, low = np.frombuffer(random, dtype="<u2").reshape(2, 16).tolist()
    for holder, word in itertools.product((0, 1, 254, 255, 299), (0, 15)):
        expected = value([int(constant[0, word]), low[word], high[word]], holder + 1, WIDE)
        assert shares[holder, 0, word] == expected


def test_interpolation_over_many_is_lagranges():
    """Two shares of a line: its value at zero is (y1 x2 + y2 x1) / (x1 + x2)."""
    one, two = 3, 65_535
    apart = one ^ two
    inverse, power = 1, apart
    for _ in range(15):  # Fermat: a^(2^16 - 2) is the inverse of a
        power = product(power, power, WIDE)
        inverse = product(inverse, power, WIDE)
    assert product(inverse, apart, WIDE) == 1
    first, second = drawn(1, seed=1)[None], drawn(1, seed=2)[None]
    found = combine([one, two], np.concatenate([first, second]), MOST_HOLDERS).view("<u2")
    for word in range(16):
        y1, y2 = (int(each.view("<u2")[0, 0, word]) for each in (first, second))
        expected = product(product(y1, two, WIDE) ^ product(y2, one, WIDE), inverse, WIDE)
        assert found[0, word] == expected


def test_one_share_too_few_of_many_is_uniform_whatever_the_secret():
    """Over the field: each value of a number equally often, alone and two holders' together."""
    generator = np.random.default_rng(12)
    for byte in (0, 255):
        secrets = np.full((2000, 32), byte, dtype=np.uint8)
        shares = split(secrets, 300, 3, random=generator.bytes)
        pair = shares[256] ^ np.roll(shares[4], 1, axis=1)
        told = combine([5, 257], shares[[4, 256]], 300)
        for seen in (shares[256], shares[4], pair, told):
            counts = np.bincount(seen.ravel(), minlength=256)
            assert stats.chisquare(counts).pvalue > 1e-4
            # All sixteen bits of a number together, in cells that both bytes decide.
            words = (seen.view("<u2").ravel().astype(np.int64) * 40_503 & 0xFFFF) >> 6
            assert stats.chisquare(np.bincount(words, minlength=1024)).pvalue > 1e-4


def test_the_field_depends_on_how_many_hold_shares():
    """Up to 255 it is that of bytes, as it always was: shares of before stay what they are."""
    secrets, random = drawn(1), drawn(2, seed=5).tobytes()
    few, many = (split(secrets, n, 3, random=lambda size: random[:size]) for n in (255, 256))
    assert not np.array_equal(few, many[:255])
    np.testing.assert_array_equal(combine([9, 2, 255], few[[8, 1, 254]], 255), secrets)
    np.testing.assert_array_equal(combine([9, 2, 255], few[[8, 1, 254]]), secrets)
    np.testing.assert_array_equal(combine([9, 2, 256], many[[8, 1, 255]], 256), secrets)
    assert not np.array_equal(combine([9, 2, 255], many[[8, 1, 254]], 255), secrets)


def test_points_beyond_many_holders_are_refused():
    shares = split(drawn(2), 300, 3)
    with pytest.raises(SecureSumError, match=r"not in 1\.\.300"):
        combine([1, 2, 301], shares[:3], 300)
    with pytest.raises(SecureSumError, match="same point"):
        combine([1, 300, 300], shares[:3], 300)
    with pytest.raises(SecureSumError, match="not in 1"):
        combine([1, 2, 65_536], shares[:3], 70_000)
