// `catalog` of a rule as it is written: how the entry that its "include" names is used.

import { z } from 'zod';
import { oneOrMany, text } from '../schema-parts.ts';
import { strictMap } from '../yaml-source.ts';

/** What parts of an entry are for. Each stands by itself: who writes also reads, and names both. */
export const catalogAccess = ['read', 'write', 'reveals'] as const;
export type CatalogAccess = (typeof catalogAccess)[number];

const accessHint = 'write read, write, reveals, or a list of them';
const tenantHint = 'write your part of the service as its host has it, such as acme';
const credentialHint = "write the name of a credential of the gateway's configuration";
const injectHint = 'write credentials by the form of the entry, such as { api: github-api, git: github-git }';

export const catalogUseSchema = strictMap(
  {
    access: oneOrMany(z.enum(catalogAccess, { error: accessHint }), accessHint)
      .optional()
      .describe(
        'What is let through: read by default. write: what changes something. reveals: what brings secrets with its response, which is denied otherwise.',
      ),
    tenant: text(tenantHint)
      .regex(/^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/, { error: tenantHint })
      .optional()
      .describe('Your part of the service, of an entry that has one: it completes the hosts.'),
    inject: z
      .record(z.string(), text(credentialHint), { error: injectHint })
      .optional()
      .describe('Credentials by the form in which the entry puts them on, where it has several.'),
  },
  {
    hint: 'write catalog: { access: [read, write] }',
    synonyms: {
      allow: 'access',
      mode: 'access',
      credentials: 'inject',
      credential: 'inject',
      host: 'tenant',
    },
  },
);
