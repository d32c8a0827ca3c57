// Service::submit as HTTP tells it, and what the APIs that answer with the pictures themselves have in
// common. Called by the handlers of all APIs.
#pragma once

#include <string>
#include <vector>

#include "jobs/service.h"

namespace snug {

// As Service::submit, but what time mends becomes an HttpError that says when to come back: a full queue when
// a job that came now would begin, as planned; a quota that is used up when the next day begins.
Job submit_job(Service& service, const Submission& submission);

// All pictures of a job that is done, in order. Throws what Service::picture throws.
std::vector<PictureBytes> pictures_of(const Job& job, const std::string& owner, Service& service);

}  // namespace snug
