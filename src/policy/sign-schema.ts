// `sign` of a rule as it is written.

import { z } from 'zod';
import { oneOrMany } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const objectsHint = 'write commit, tag, or [commit, tag]';
const identityHint =
  'write a name and an e-mail address such as Build Agent <agent@example.com>, with * for any text, or a list of them';
const identity = z
  .string({ error: identityHint })
  .regex(/^[^<>]{1,256} <[^<>\s]{1,256}>$/, { error: identityHint });
const tagHint = 'write the name of a tag such as v1.0, or v* for all that begin so, or a list of them';
const tag = z.string({ error: tagHint }).regex(/^[!-~]{1,256}$/, { error: tagHint });

export const signSchema = strictMap(
  {
    objects: oneOrMany(z.enum(['commit', 'tag'], { error: objectsHint }), objectsHint)
      .optional()
      .describe('What is signed: commit by default, both in a rule that denies.'),
    committer: oneOrMany(identity, identityHint)
      .optional()
      .describe('Who may have committed or tagged it. A rule that allows has to say so.'),
    author: oneOrMany(identity, identityHint)
      .optional()
      .describe('Who may have written a commit. By default the same as the committer; "* <*>" is anybody.'),
    tags: oneOrMany(tag, tagHint).optional().describe('Names of tags. All by default.'),
    automatic: z
      .literal(true, { error: 'write true, or leave it out' })
      .optional()
      .describe('git signs each commit, or tag with a message, without being asked to (commit.gpgSign).'),
  },
  {
    hint: 'write sign: { committer: Build Agent <agent@example.com> }',
    synonyms: {
      object: 'objects',
      kinds: 'objects',
      committers: 'committer',
      tagger: 'committer',
      authors: 'author',
      tag: 'tags',
      auto: 'automatic',
    },
  },
);
