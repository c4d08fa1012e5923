/* Runs the network once: what an application that needs nothing else takes of the flash. */
#include "{name}.h"

int main(void)
{
    {name}_init();
    return {name}_run();
}
