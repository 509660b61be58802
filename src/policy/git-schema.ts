// `git` of a rule as it is written.

import { z } from 'zod';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const repositoryHint =
  'write the path of a repository such as acme/app, acme/* or acme/**, or a list of them';
const operationHint = 'write fetch, push, or [fetch, push]';
const refHint = 'write a ref such as refs/heads/main or refs/heads/agent/**, or a list of them';
const optionHint =
  'write an option as it follows git push -o, such as ci.skip or merge_request.*, or a list of them';
const changeHint = 'write create, update, delete, or a list of them';

/** A rule about git. */
export const gitSchema = strictMap(
  {
    repository: oneOrMany(text(repositoryHint), repositoryHint)
      .optional()
      .describe('Paths of repositories, without ".git": * stands for one segment, ** at the end for more.'),
    operations: oneOrMany(z.enum(['fetch', 'push'], { error: operationHint }), operationHint)
      .optional()
      .describe('Both by default.'),
    refs: oneOrMany(text(refHint), refHint)
      .optional()
      .describe('Refs that a push may change, or in a rule that denies: may not. All by default.'),
    changes: oneOrMany(z.enum(['create', 'update', 'delete'], { error: changeHint }), changeHint)
      .optional()
      .describe('What a push may do to them: [create, update] by default, all in a rule that denies.'),
    options: oneOrMany(text(optionHint), optionHint)
      .optional()
      .describe(
        'Options that a push may have (git push -o), or in a rule that denies: may not. * is any text. By default none; any in a rule that denies, or that allows every change of every ref.',
      ),
  },
  {
    hint: 'write git as a map, such as { repository: acme/app, operations: fetch }',
    synonyms: {
      repositories: 'repository',
      repo: 'repository',
      repos: 'repository',
      operation: 'operations',
      ref: 'refs',
      branch: 'refs',
      branches: 'refs',
      tags: 'refs',
      change: 'changes',
      option: 'options',
      pushOptions: 'options',
    },
  },
);
