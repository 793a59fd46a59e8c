/* Rounding to bfloat16: numbers worked out by hand, and all 65536 of them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/bfloat16.h"
#include "kernels/random.h"

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float value_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t pack(float value)
{
    uint16_t packed;

    rnn_bfloat16_pack(&packed, &value, 1);
    return packed;
}

/* Between 1 and 2 neighbours are 2^-7 apart. */
static void values_go_to_the_nearest_and_ties_to_even(void **unused)
{
    static const struct {
        float value;
        uint16_t packed;
    } cases[] = {
        {0.0f, 0x0000},          {-0.0f, 0x8000},      {1.0f, 0x3f80},      {-2.0f, 0xc000},
        {0x1.01p0f, 0x3f80},     /* 1 + 2^-8, half way: to the even 1 */
        {0x1.010002p0f, 0x3f81}, /* a little more: up */
        {0x1.00fffep0f, 0x3f80}, /* a little less: down */
        {0x1.03p0f, 0x3f82},     /* 1 + 3 * 2^-8, half way: to the even 1 + 2 * 2^-7 */
        {0x1.02fffep0f, 0x3f81}, {-0x1.03p0f, 0xbf82}, {0x1.ffp0f, 0x4000}, /* half way to 2: the
                                                                               carry goes into the
                                                                               exponent */
        {3.14159274f, 0x4049},                                              /* 0x40490fdb */
        {0.1f, 0x3dcd},                                                     /* 0x3dcccccd */
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pack(cases[i].value), cases[i].packed);
}

static void the_largest_overflow_to_infinity(void **unused)
{
    (void)unused;
    assert_int_equal(pack(INFINITY), 0x7f80);
    assert_int_equal(pack(-INFINITY), 0xff80);
    assert_int_equal(pack(0x1.fep127f), 0x7f7f);     /* the largest bfloat16 */
    assert_int_equal(pack(0x1.fefffep127f), 0x7f7f); /* less than half way to 2^128 */
    assert_int_equal(pack(0x1.ffp127f), 0x7f80);     /* half way: 0x7f7f is odd */
    assert_int_equal(pack(FLT_MAX), 0x7f80);
    assert_int_equal(pack(-FLT_MAX), 0xff80);
}

/* The least bfloat16 is 2^-133 (0x0001), neighbours are as far apart up to 2^-126 (0x0080). */
static void denormals_round_like_others(void **unused)
{
    (void)unused;
    assert_int_equal(pack(value_of(0x00000001)), 0x0000); /* 2^-149 */
    assert_int_equal(pack(value_of(0x00008000)), 0x0000); /* 2^-134, half way: to the even 0 */
    assert_int_equal(pack(value_of(0x00008001)), 0x0001);
    assert_int_equal(pack(value_of(0x80018000)), 0x8002); /* 1.5 * 2^-133, half way */
    assert_int_equal(pack(value_of(0x007fffff)), 0x0080); /* the largest: becomes 2^-126 */
}

/* Whatever their bits: those that would carry into infinity, or lose all they have in the cut. */
static void nans_stay_nans_of_their_sign(void **unused)
{
    static const uint32_t nans[] = {0x7fc00000, 0x7fffffff, 0x7f800001,
                                    0x7f80ffff, 0xffc12345, 0xff800001};

    (void)unused;
    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        uint16_t packed;
        uint32_t bits = nans[i];
        float value;

        memcpy(&value, &bits, sizeof value);
        rnn_bfloat16_pack(&packed, &value, 1);
        assert_int_equal(packed & 0x7fc0, 0x7fc0); /* quiet */
        assert_int_equal(packed >> 15, nans[i] >> 31);
        rnn_bfloat16_unpack(&value, &packed, 1);
        assert_true(isnan(value));
        rnn_bfloat16_round(&value, 1);
        assert_int_equal(bits_of(value), (uint32_t)packed << 16);
    }
}

enum { N_ALL = 65536 };

static void what_is_packed_comes_back(void **unused)
{
    static uint16_t all[N_ALL], again[N_ALL];
    static float values[N_ALL];

    (void)unused;
    for (size_t i = 0; i < N_ALL; i++)
        all[i] = (uint16_t)i;
    rnn_bfloat16_unpack(values, all, N_ALL);
    for (size_t i = 0; i < N_ALL; i++)
        assert_int_equal(bits_of(values[i]), (uint32_t)i << 16);
    rnn_bfloat16_pack(again, values, N_ALL);
    for (size_t i = 0; i < N_ALL; i++)
        assert_int_equal(again[i], isnan(values[i]) ? i | 0x40 : i);
}

static void sums_are_of_rounded_values(void **unused)
{
    enum { COUNT = 1003 };
    float into[COUNT + 1], from[COUNT], expected[COUNT], other[COUNT];
    uint16_t packed[COUNT];

    (void)unused;
    rnn_random_uniform(into, COUNT, -3.0f, 2.0f, 1, RNN_RANDOM_INIT, 0, 0);
    rnn_random_uniform(from, COUNT, -3.0f, 2.0f, 2, RNN_RANDOM_INIT, 0, 0);
    memcpy(other, into, sizeof other);
    into[COUNT] = 7.0f;
    for (size_t i = 0; i < COUNT; i++)
        expected[i] =
            value_of((uint32_t)pack(into[i]) << 16) + value_of((uint32_t)pack(from[i]) << 16);
    rnn_bfloat16_pack(packed, from, COUNT);
    rnn_bfloat16_add_packed_to(other, other, packed, COUNT);
    rnn_bfloat16_add_to(into, into, from, COUNT);
    assert_memory_equal(into, expected, sizeof expected);
    assert_memory_equal(other, expected, sizeof expected);
    assert_int_equal(bits_of(into[COUNT]), bits_of(7.0f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_to_the_nearest_and_ties_to_even),
        cmocka_unit_test(the_largest_overflow_to_infinity),
        cmocka_unit_test(denormals_round_like_others),
        cmocka_unit_test(nans_stay_nans_of_their_sign),
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(sums_are_of_rounded_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
