#pragma once

// libcurl's setters and getters are variadic, which Swift cannot call: one function per argument type stands here,
// and beside them the check of a certificate's thumbprint, which needs OpenSSL.

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

CURLcode wl_curl_set_long(CURL *handle, CURLoption option, long value);
CURLcode wl_curl_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode wl_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value);
CURLcode wl_curl_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode wl_curl_set_blob(CURL *handle, CURLoption option, const void *bytes, size_t count);
CURLcode wl_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *list);

typedef size_t (*wl_curl_write_callback)(char *bytes, size_t size, size_t count, void *context);
CURLcode wl_curl_set_write(CURL *handle, wl_curl_write_callback callback, void *context);

CURLcode wl_curl_get_long(CURL *handle, CURLINFO info, long *value);
CURLcode wl_curl_get_string(CURL *handle, CURLINFO info, const char **value);

/// The message's result, where `message` reports a finished transfer; `CURLE_OK` with `*done` 0 otherwise.
CURLcode wl_curl_message_result(const CURLMsg *message, int *done);

/// What the server showed in the handshake, and what was expected of it.
typedef struct {
    /// 1: only a leaf with the digest `expected` is accepted. 0: any is.
    int pinned;
    /// SHA-256 of the DER of the expected leaf.
    uint8_t expected[32];
    /// 1 once a leaf was seen; the rest is then set.
    int seen;
    uint8_t actual[32];
    /// Seconds since 1970.
    int64_t not_after;
    char subject[512];
} wl_certificate_check;

/// Replaces the verification of the chain by a look at the leaf alone: it is stored in `check`, and refused within the
/// handshake (before a byte of a request) where it is not the pinned one. `check` must outlive the handle's use.
CURLcode wl_curl_set_certificate_check(CURL *handle, wl_certificate_check *check);
