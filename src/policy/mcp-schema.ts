// `mcp` of a rule as it is written.

import { z } from 'zod';
import { mcpSessionParts } from './mcp-rule.ts';
import { argumentsSchema } from './argument-schema.ts';
import { oneOrMany, text } from './schema-parts.ts';
import { strictMap } from './yaml-source.ts';

const toolHint = 'write the name of a tool such as search or issues_*, or a list of them; * is any text';
const resourceHint = 'write the URI of a resource such as file:///repo/*, or a list of them; * is any text';
const promptHint = 'write the name of a prompt, or a list of them; * is any text';
const methodHint = 'write a method such as tasks/get, or a list of them; * is any text';
const inputHint = 'write arguments as a map, such as { repository: acme/* }';
const schemaHint =
  'write a JSON Schema as a map, such as { properties: { repository: { const: acme/app } } }';
const inputKinds = ['elicitation', 'sampling', 'roots'] as const;
const sessionsHint = 'write stream, resume, end, a list of them, or none';
const inputsHint = `write ${inputKinds.join(', ')}, a list of them, or allow for all`;
const pinsHint = 'write pins as a map of tools, as `policy pins` prints it';
const pinHint = 'write sha256: and 64 hex digits, as `policy pins` prints it';
const toolName = z.string().min(1).max(256);
const digest = z.string({ error: pinHint }).regex(/^sha256:[0-9a-f]{64}$/, { error: pinHint });

/** A rule about the Model Context Protocol. */
export const mcpSchema = strictMap(
  {
    tools: oneOrMany(text(toolHint), toolHint)
      .optional()
      .describe('Tools that may be called, or in a rule that denies: may not. None by default.'),
    arguments: argumentsSchema(inputHint)
      .optional()
      .describe('What arguments of the call must be; the others may be anything.'),
    argumentsSchema: z
      .record(z.string(), z.unknown(), { error: schemaHint })
      .optional()
      .describe('JSON Schema that the arguments of the call have to fit.'),
    resources: oneOrMany(text(resourceHint), resourceHint)
      .optional()
      .describe('URIs of resources that may be read or followed. None by default.'),
    prompts: oneOrMany(text(promptHint), promptHint)
      .optional()
      .describe('Prompts that may be fetched. None by default.'),
    methods: oneOrMany(text(methodHint), methodHint)
      .optional()
      .describe('Further methods. In a rule that denies: methods that may not be used.'),
    pins: z
      .record(toolName, digest, { error: pinsHint })
      .optional()
      .describe(
        'Tools by a hash of what the server says of them (`policy pins` prints it). A tool without a pin may not be called, nor one that the server defines in another way.',
      ),
    beforeList: z
      .literal('allow', { error: 'write allow, or leave it out' })
      .optional()
      .describe('allow: a pinned tool may be called before the server has listed its tools in this session.'),
    input: z
      .union([z.literal('allow'), z.enum(inputKinds), z.array(z.enum(inputKinds)).min(1)], {
        error: inputsHint,
      })
      .optional()
      .describe(
        'What the server may ask the client for, and the client may send then: elicitation (of its user), sampling (of its model), roots (its files), or allow for all. None by default.',
      ),
    sessions: z
      .union([z.literal('none'), z.enum(mcpSessionParts), z.array(z.enum(mcpSessionParts)).min(1)], {
        error: sessionsHint,
      })
      .optional()
      .describe(
        'Requests without a message: stream (GET), resume (GET with Last-Event-ID), end (DELETE), or none. All by default, and in a rule that denies: none.',
      ),
  },
  {
    hint: 'write mcp as a map, such as { tools: [search, issues_*] }',
    synonyms: {
      tool: 'tools',
      pin: 'pins',
      hashes: 'pins',
      args: 'arguments',
      argument: 'arguments',
      schema: 'argumentsSchema',
      inputSchema: 'argumentsSchema',
      resource: 'resources',
      uris: 'resources',
      prompt: 'prompts',
      method: 'methods',
      sampling: 'input',
      elicitation: 'input',
      roots: 'input',
      session: 'sessions',
      stream: 'sessions',
      resume: 'sessions',
    },
  },
);
