/* What clang's -fsanitize=undefined calls: the first finding is kept, the program goes on. Part of its interface is that
 * the data of every check begin with where it stands. */
#include <stdint.h>

struct place {
    const char *file;
    uint32_t line, column;
};

static const char *kind;
static struct place at;

const char *undefined_behaviour(const char **file, uint32_t *line)
{
    const char *found = kind;
    *file = at.file;
    *line = at.line;
    kind = 0;
    return found;
}

#define CHECK(name) \
    void __ubsan_handle_##name(const struct place *place); \
    void __ubsan_handle_##name(const struct place *place) \
    { \
        if (!kind) kind = #name, at = *place; \
    }

CHECK(add_overflow)
CHECK(alignment_assumption)
CHECK(builtin_unreachable)
CHECK(divrem_overflow)
CHECK(float_cast_overflow)
CHECK(function_type_mismatch)
CHECK(implicit_conversion)
CHECK(invalid_builtin)
CHECK(load_invalid_value)
CHECK(missing_return)
CHECK(mul_overflow)
CHECK(negate_overflow)
CHECK(nonnull_arg)
CHECK(nonnull_return_v1)
CHECK(out_of_bounds)
CHECK(pointer_overflow)
CHECK(shift_out_of_bounds)
CHECK(sub_overflow)
CHECK(type_mismatch_v1)
CHECK(vla_bound_not_positive)
