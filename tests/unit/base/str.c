
Test(str, ascii_at_every_place)
{
	char text[24];

	for (size_t n = 0; n <= sizeof text; n++) {
		memset(text, 0x7f, sizeof text);
		cr_assert(str_is_ascii(str_make(text, n)));
		for (size_t at = 0; at < sizeof text; at++) {
			text[at] = (char)0x80;
			cr_assert_eq(str_is_ascii(str_make(text, n)), at >= n, "%zu of %zu", at, n);
			text[at] = 0;
		}
	}
}
