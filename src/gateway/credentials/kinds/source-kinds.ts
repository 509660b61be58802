// Kinds by which the secret of the source itself goes to the origin, in the head or where a placeholder stands.

import { z } from 'zod';
import { withParameter } from '../../../http/query-parameter.ts';
import { text } from '../../../policy/schema-parts.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { placeholderPattern } from '../request/placeholder.ts';
import { placeholderText } from './placeholder-text.ts';
import { credentialKind, needed } from './credential-kind.ts';
import { fieldName } from './field-name.ts';
import { basicInjector, bearerInjector, fieldInjector, injecting } from './head-injection.ts';
import { openSource } from './open-source.ts';
import { placeholderEnvironment, placeholderOptions, standIn } from './placeholder-form.ts';
import { placeholderAnywhere, placeholderInHead } from './placeholder-injection.ts';

const bearer = credentialKind({
  kind: 'bearer',
  summary: 'The Authorization field.',
  shape: {},
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: () => ({}),
  where: () => 'Authorization, as Bearer',
  open: (name, { source }, context) => injecting(openSource(name, source, context), bearerInjector),
});

const usernameHint = needed('basic', 'username', 'write the user name that goes with the secret');

const basic = credentialKind({
  kind: 'basic',
  summary: 'The Authorization field, with a user name.',
  shape: {
    username: text(usernameHint)
      .regex(/^[^:]*$/, { error: 'a user name of Basic cannot have a colon (RFC 7617)' })
      .describe('For kind basic.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ username }) => ({ username }),
  where: ({ username }) => `Authorization, as Basic with the user ${username}`,
  open: (name, { source, username }, context) =>
    injecting(openSource(name, source, context), basicInjector(username)),
});

const header = credentialKind({
  kind: 'header',
  summary: 'A field of its own name.',
  shape: {
    header: fieldName(
      needed('header', 'header', 'write the name of a header field, such as X-Api-Key'),
      'write the field that the origin expects',
    ).describe('For kind header.'),
    prefix: z
      .string({ error: 'write the text that stands before the secret' })
      .regex(/^[\x20-\x7e]{0,128}$/, { error: 'write printable ASCII' })
      .optional()
      .describe('For kind header: text before the secret, with its space.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: (written) => written,
  where: ({ header: field }) => `the field ${field}`,
  open: (name, { source, header: field, prefix }, context) =>
    injecting(openSource(name, source, context), fieldInjector(field, prefix)),
});

const query = credentialKind({
  kind: 'query',
  summary: 'A parameter of the URL.',
  shape: {
    parameter: text(
      needed('query', 'parameter', 'write the name of a query parameter, such as api_key'),
    ).describe('For kind query.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ parameter }) => ({ parameter }),
  where: ({ parameter }) => `the parameter ${parameter} of the query`,
  open: (name, { source, parameter }, context) =>
    injecting(openSource(name, source, context), {
      inject: (head, secret) => ({
        head: { ...head, query: withParameter(head.query, parameter, secret.reveal()) },
      }),
    }),
});

const messagesHint = 'write how many of the first messages of a WebSocket are searched, 1 to 16';
const rareHint = 'it is searched for in requests; write 12 to 256 letters, digits, ".", "_", "~" or "-"';

/** It is searched for in requests, so it must be rare and the same in every encoding. */
const placeholder = credentialKind({
  kind: 'placeholder',
  summary: 'Wherever the workload put its placeholder.',
  shape: {},
  foreign: { what: 'none-beside-it' },
  placeholder: {
    schema: strictMap(
      {
        env: placeholderEnvironment,
        value: z.string({ error: rareHint }).regex(placeholderPattern, { error: rareHint }).optional(),
        body: z
          .boolean({ error: 'write true or false' })
          .optional()
          .describe('For kind placeholder: also in bodies of JSON, forms and plain text.'),
        messages: z
          .int({ error: messagesHint })
          .min(1, { error: messagesHint })
          .max(16, { error: messagesHint })
          .optional()
          .describe('For kind placeholder: also in so many of the first messages of a WebSocket.'),
      },
      { ...placeholderOptions, hint: needed('placeholder', 'placeholder', placeholderOptions.hint) },
    ).describe('What the workload sees in its environment instead, and what is replaced.'),
    variables: (env) => [env],
  },
  settings: () => ({}),
  open: (name, { source, placeholder: settings }, context) => {
    const sought = placeholderText(name, settings);
    const opened = openSource(name, source, context);
    const credential = injecting(
      opened,
      settings?.body === true ? placeholderAnywhere(sought, context.held) : placeholderInHead(sought),
    );
    const messages = settings?.messages;
    if (messages === undefined) return credential;
    return {
      ...credential,
      inMessages: async (nowMs) => ({ placeholder: sought, secret: await opened.read(nowMs), messages }),
    };
  },
});

export const sourceKinds = [bearer, basic, header, query, placeholder] as const;
