/*
 * intake_no_room: see the header.
 */
#include "queue/intake_no_room.h"

#include <errno.h>

#include "base/error_text.h"
#include "base/metrics.h"

struct smtp_status
intake_no_room(int error)
{
	if (error_text_is_descriptors(error))
		metrics_lacks_descriptors();
	if (error == EILSEQ)
		return smtp_status_make(554, "5.6.0", "Bare CR or LF, or NUL, in message body");
	if (error == EAGAIN)
		return smtp_status_make(451, "4.3.2", "Too busy to take mail now");
	return smtp_status_not_stored(error);
}
