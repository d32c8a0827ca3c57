// How worker threads wait between kernels. libgomp, whose threads oneDNN and Snug share, lets them spin for
// milliseconds by default: on a machine that does anything else, they take the cores from the thread that
// works. It reads its policy from the environment while it is loaded, before main, so the program starts
// itself once more with the policy set.
#pragma once

namespace snug::cli {

// Returns at once when OMP_WAIT_POLICY or GOMP_SPINCOUNT is set, by the user or by the first start; otherwise
// does not return, unless the system refuses to start the program again. Call it before anything is opened or
// started.
void let_threads_sleep(char** arguments);

}  // namespace snug::cli
