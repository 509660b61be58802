// `logIn` of a rule as it is written.

import { z } from 'zod';
import { text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const nameHint = 'write a name such as github: lower-case letters, digits and hyphens';
const nameSchema = text(nameHint).regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, { error: nameHint });
const revokeHint = 'write the path of the revocation endpoint, such as revoke: /oauth/revoke';
const issuerHint = 'write issuer: true, or leave it out where tokens are only used';

export const logInSchema = z
  .union(
    [
      nameSchema,
      strictMap(
        {
          name: nameSchema.describe(
            'Under which tokens are kept: the rules that use them have the same one.',
          ),
          issuer: z
            .literal(true, { error: issuerHint })
            .optional()
            .describe(
              'The paths of the rule are endpoints of a server of OAuth: tokens in their responses are kept, and placeholders handed out.',
            ),
          revoke: text(revokeHint)
            .regex(/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,255}$/, { error: revokeHint })
            .optional()
            .describe(
              'A path at the server: when a session ends, tokens that it gave are revoked there (RFC 7009). Needs issuer: true and hosts without a wildcard.',
            ),
        },
        {
          hint: 'write logIn: { name: github, issuer: true }',
          synonyms: {
            of: 'name',
            server: 'issuer',
            tokens: 'issuer',
            keep: 'issuer',
            revocationUrl: 'revoke',
          },
        },
      ),
    ],
    { error: `${nameHint}, or { name: github, issuer: true } for the endpoints of the server` },
  )
  .optional()
  .describe(
    'Tools of the session log in by themselves, and the gateway keeps their tokens: a name, or { name, issuer: true } for the endpoints that hand tokens out. https only.',
  );
