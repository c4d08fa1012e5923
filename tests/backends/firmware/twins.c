/* Every function of gw_mve.h on numbers that are drawn: what comes out, as one number. Linked into a program that says it. */
static uint32_t drawn = 12345, noted = 1;

static int32_t draw(void)
{
    static const int32_t ends[8] = {0, 1, -1, INT32_MAX, INT32_MIN, 127, -128, 0x40000000};
    drawn ^= drawn << 13, drawn ^= drawn >> 17, drawn ^= drawn << 5;
    return drawn % 5 == 0 ? ends[drawn >> 8 & 7] : (int32_t)(drawn * 2654435761u) >> (drawn & 24);
}

static void note(int32_t v) { noted = (noted ^ (uint32_t)v) * 16777619u; }

static void note4(gw_v4 a)
{
    int32_t v[4];
    gw_store4_int32(v, a);
    for (int i = 0; i < 4; i++) note(v[i]);
}

static gw_v4 draw4(int32_t low, int32_t mask)
{
    int32_t v[4];
    for (int i = 0; i < 4; i++) v[i] = mask ? low + (draw() & mask) : draw();
    return gw_load4_int32(v);
}

static int8_t bytes[512], more[4096];
static int16_t halves[512], others[4096];
static uint8_t plain[512];
static int32_t words[64], sums[16], rows[5];

static void elementwise(void)
{
    gw_v4 a = draw4(0, 0), b = draw4(0, 0), n = draw4(0, 31), down = draw4(-31, 31), m = draw4(0, INT32_MAX);
    gw_v4 at = draw4(0, 255), back;
    gw_m4 less = gw_lt4(a, b), same = gw_eq4(gw_and4(a, gw_all4(1)), gw_and4(b, gw_all4(1)));
    note4(gw_add4(a, b)), note4(gw_sub4(a, b)), note4(gw_mul4(a, b)), note4(gw_min4(a, b)), note4(gw_max4(a, b));
    note4(gw_and4(a, b)), note4(gw_or4(a, b)), note4(gw_xor4(a, b)), note4(gw_shl4(a, n)), note4(gw_shr4(a, n));
    note(less), note(gw_le4(a, b)), note(gw_gt4(a, b)), note(gw_ge4(a, b)), note(same), note(gw_ne4(a, b));
    note4(gw_select4(less, a, b)), note4(gw_select4((gw_m4)~same, a, b));
    note4(gw_doubled4(a, m)), note4(gw_upper4(a, m)), note4(gw_scaled4(a, m, b, n)), note4(gw_scaled4(a, m, b, a));
    note4(gw_shifted4(a, down)), note4(gw_shifted4(a, n)), note4(gw_rounded4(a, down));
    back = gw_add4(down, gw_all4(-1));
    note4(gw_rounded_away4(gw_shr4(a, gw_all4(1)), gw_max4(back, gw_all4(-31))));
    note4(gw_rounded_some4(gw_shr4(a, gw_all4(1)), down));
    note4(gw_gather4_int8(bytes, at)), note4(gw_gather4_uint8(plain, at)), note4(gw_gather4_int16(halves, at));
    note4(gw_every4_int8(bytes + 3, 5)), note4(gw_every4_int16(halves, 7));
    gw_store4_int8(more + 1, a), gw_store4_int16(others + 1, b), gw_store4_uint8(plain, b);
    note4(gw_load4_int8(more + 1)), note4(gw_load4_int16(others + 1)), note4(gw_load4_uint8(plain));
    note4(gw_load4_uint16((const uint16_t *)others + 1));
}

static void moves(void)
{
    gw_move16_int8_int8(more + 1, bytes), gw_move16_uint8_uint8((uint8_t *)more + 17, plain);
    gw_move8_int8_int8(more + 33, bytes + 3), gw_move8_uint8_uint8((uint8_t *)more + 41, plain + 2);
    gw_move8_int8_int16(others + 1, bytes + 5), gw_move8_uint8_int16(others + 9, plain + 1);
    gw_move8_int16_int16(others + 17, halves + 2);
    gw_fill16_int8(more + 50, (int8_t)draw()), gw_fill16_uint8((uint8_t *)more + 66, (uint8_t)draw());
    gw_fill8_int8(more + 83, (int8_t)draw()), gw_fill8_uint8((uint8_t *)more + 91, (uint8_t)draw());
    gw_fill8_int16(others + 26, (int16_t)draw());
    for (int i = 0; i < 100; i++) note(more[i]), note(others[i]);
}

static void products(void)
{
    for (int i = 0; i < 512; i++) bytes[i] = (int8_t)draw(), halves[i] = (int16_t)draw(), plain[i] = (uint8_t)draw();
    for (int i = 0; i < 4096; i++) more[i] = (int8_t)draw(), others[i] = (int16_t)draw();
    for (int i = 0; i < 64; i++) words[i] = draw() >> 8;
    for (int32_t steps = 1; steps < 4; steps++) {
        gw_across_8_2x4(bytes, 6, more, 7, steps, words, 3, sums);
        gw_across_16_8_2x4(halves, 1, more, 9, steps, words, 5, sums + 8);
        for (int i = 0; i < 16; i++) note(sums[i]);
        gw_across_16_2x4(halves, 3, others, 2, steps, words, 7, sums);
        gw_across_8_1x4(bytes, 1, more, 5, steps, words, 1, sums + 8);
        gw_across_16_8_1x4(halves, 0, more, 3, steps, words, 2, sums + 12);
        for (int i = 0; i < 16; i++) note(sums[i]);
        gw_across_16_1x4(halves, 5, others, 4, steps, words, 6, sums);
        for (int i = 0; i < 4; i++) note(sums[i]);
    }
    for (int i = 0; i < 4096; i++) more[i] = (int8_t)(more[i] % 127); /* two products with bytes fit 16 bits */
    for (int32_t down = 1; down < 6; down++)
        for (int32_t columns = 1; columns < 5; columns++) {
            for (int k = 0; k < down; k++) rows[k] = draw() & 127;
            gw_windows(bytes, rows, 5, down, columns, 33, more, 11, words, 8, sums);
            for (int i = 0; i < 16; i++) note(sums[i]);
        }
}

KEPT uint32_t twins(void)
{
    for (int i = 0; i < 40; i++) products(), elementwise(), moves();
    return noted;
}
