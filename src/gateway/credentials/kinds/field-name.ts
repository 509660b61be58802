// The name of a header field in the configuration of a credential.

import { z } from 'zod';

/** Fields that belong to the connection or the message, not to a credential. */
const unfit =
  /^(host|connection|content-length|content-type|transfer-encoding|te|trailer|upgrade|expect|keep-alive|http2-settings|proxy-.*|sec-.*|:.*)$/i;

/** `remedy` is what to do about one that is not a credential's. */
export function fieldName(hint: string, remedy: string) {
  return z
    .string({ error: hint })
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, { error: hint, abort: true })
    .refine((name) => !unfit.test(name), {
      error: ({ input }) => `${String(input)} belongs to the message or the connection; ${remedy}`,
    });
}
