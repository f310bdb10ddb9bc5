/*
 * libcrypto: finds its functions by dlsym, because a library that is linked would be mapped in
 * every role.  It does not read OpenSSL's configuration file, nor a module that this names.  A key
 * keeps the context of its last scheme, because a new one costs a third of an ECDSA signature.
 */
#include "keys/libcrypto.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "base/mem.h"

#define FUNCTIONS(X)                                                                               \
	X(OPENSSL_init_crypto)                                                                     \
	X(RAND_bytes)                                                                              \
	X(BIO_new_mem_buf)                                                                         \
	X(BIO_free)                                                                                \
	X(PEM_read_bio_PrivateKey)                                                                 \
	X(EVP_PKEY_free)                                                                           \
	X(EVP_PKEY_get_base_id)                                                                    \
	X(EVP_PKEY_CTX_new)                                                                        \
	X(EVP_PKEY_CTX_free)                                                                       \
	X(EVP_PKEY_sign_init)                                                                      \
	X(EVP_PKEY_sign)                                                                           \
	X(EVP_PKEY_CTX_set_signature_md)                                                           \
	X(EVP_PKEY_CTX_set_rsa_padding)                                                            \
	X(EVP_PKEY_CTX_set_rsa_pss_saltlen)                                                        \
	X(EVP_get_digestbyname)                                                                    \
	X(ERR_clear_error)

#define MEMBER(name) __typeof__(&(name)) name;

struct libcrypto {
	void *handle;
	FUNCTIONS(MEMBER)
};

struct libcrypto_key {
	const struct libcrypto *library;
	EVP_PKEY *private;
	EVP_PKEY_CTX *context; /* of this scheme; NULL: no context yet */
	struct libcrypto_scheme scheme;
};

/* ---- the library ---- */

static bool
libcrypto_load_functions(struct libcrypto *l)
{
#define FIND(name)                                                                                 \
	l->name = (__typeof__(l->name))dlsym(l->handle, #name);                                    \
	if (!l->name)                                                                              \
		return false;
	FUNCTIONS(FIND)
	return true;
}

struct libcrypto *
libcrypto_open(void)
{
	struct libcrypto *l = MEM_NEW(struct libcrypto);
	unsigned char some[16];

	l->handle = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!l->handle || !libcrypto_load_functions(l) ||
	    l->OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) !=
	        1 ||
	    l->RAND_bytes(some, sizeof some) != 1)
		libcrypto_close(&l);
	return l;
}

/* The library stays mapped: it does not unload cleanly. */
void
libcrypto_close(struct libcrypto **l)
{
	mem_free(*l);
	*l = NULL;
}

/* ---- keys ---- */

/* Never asks for a password on the terminal. */
static int
libcrypto_no_password(char *to, int size, int is_writing, void *arg)
{
	(void)to;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

struct libcrypto_key *
libcrypto_key_new(const struct libcrypto *l, struct str pem)
{
	struct libcrypto_key *k = MEM_NEW(struct libcrypto_key);
	BIO *text = l->BIO_new_mem_buf(pem.p, (int)pem.n);
	int kind;

	k->library = l;
	k->private = l->PEM_read_bio_PrivateKey(text, NULL, libcrypto_no_password, NULL);
	l->BIO_free(text);
	l->ERR_clear_error();
	kind = k->private ? l->EVP_PKEY_get_base_id(k->private) : EVP_PKEY_NONE;
	if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC)
		libcrypto_key_free(&k);
	return k;
}

void
libcrypto_key_free(struct libcrypto_key **k)
{
	if (!*k)
		return;
	(*k)->library->EVP_PKEY_CTX_free((*k)->context);
	(*k)->library->EVP_PKEY_free((*k)->private);
	mem_free(*k);
	*k = NULL;
}

/* ---- signing ---- */

static bool
libcrypto_set_scheme(struct libcrypto_key *k, const struct libcrypto_scheme *scheme)
{
	const struct libcrypto *l = k->library;
	const EVP_MD *digest = l->EVP_get_digestbyname(scheme->digest);
	bool is_rsa = l->EVP_PKEY_get_base_id(k->private) == EVP_PKEY_RSA;
	int padding = scheme->is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;

	l->EVP_PKEY_CTX_free(k->context);
	k->context = l->EVP_PKEY_CTX_new(k->private, NULL);
	k->scheme = *scheme;
	if (!k->context || !digest || l->EVP_PKEY_sign_init(k->context) <= 0)
		return false;
	if (is_rsa && l->EVP_PKEY_CTX_set_rsa_padding(k->context, padding) <= 0)
		return false;
	if (l->EVP_PKEY_CTX_set_signature_md(k->context, digest) <= 0)
		return false;
	return !is_rsa || !scheme->is_pss ||
	       l->EVP_PKEY_CTX_set_rsa_pss_saltlen(k->context, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool
libcrypto_has_scheme(const struct libcrypto_key *k, const struct libcrypto_scheme *scheme)
{
	return k->context && k->scheme.digest == scheme->digest &&
	       k->scheme.is_pss == scheme->is_pss;
}

size_t
libcrypto_sign(struct libcrypto_key *k, const struct libcrypto_scheme *scheme, struct str digest,
    unsigned char *signature_out, size_t max)
{
	const struct libcrypto *l = k->library;
	size_t n = max;

	if ((libcrypto_has_scheme(k, scheme) || libcrypto_set_scheme(k, scheme)) &&
	    l->EVP_PKEY_sign(
	        k->context, signature_out, &n, (const unsigned char *)digest.p, digest.n) > 0)
		return n;
	l->EVP_PKEY_CTX_free(k->context);
	k->context = NULL;
	l->ERR_clear_error();
	return 0;
}
