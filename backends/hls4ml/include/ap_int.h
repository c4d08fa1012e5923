// ap_int and ap_uint are integers of the same family as ap_fixed; see ap_fixed.h.
#ifndef GATEWRIGHT_LEAN_AP_INT_H
#define GATEWRIGHT_LEAN_AP_INT_H

#include "ap_fixed.h"

#endif
