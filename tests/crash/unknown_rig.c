#include "unknown_rig.h"

#include "base/mem.h"

const struct spool_options unknown_options = {
    .segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

bool
unknown_open(struct model *m)
{
	struct spool_options o = unknown_options;

	o.io = simdisk_io(m->disk);
	return model_open(m, &o);
}

bool
unknown_end(struct model *m)
{
	bool is_good = m->faults == 0;

	model_close(m);
	simdisk_free(&m->disk);
	mem_free(m);
	return is_good;
}
