// Bodies that a seed makes to get past a rule: what it lets through is within the rule for each reader that a service could have.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { llmRequestIn } from '../../src/policy/llm-rule.ts';
import { modelCallOf } from '../../src/gateway/exchange/model-call.ts';
import { seeded } from '../support/seeded.ts';
import { access, jsonBody, nowMs, policyOf, principal } from '../policy/fixture.ts';

const cap = 64;
const rounds = process.env['TEST_UNDERSTANDING'] === undefined ? 2_000 : 20_000;

interface Target {
  readonly path: string;
  readonly hasModel: boolean;
  readonly caps: readonly string[];
  /** A member in which caps stand, beside the body itself. */
  readonly config?: string;
  readonly base: Record<string, unknown>;
  /** What a service does with each of these is not bounded. */
  readonly escapes: readonly string[];
}

const user = [{ role: 'user', content: 'hi' }];
const invoke = (model: string, target: Omit<Target, 'path' | 'hasModel'>): Target => ({
  ...target,
  path: `/model/${model}/invoke`,
  hasModel: false,
});
const foreignCaps = ['max_gen_len', 'max_tokens', 'max_completion_tokens', 'max_new_tokens'];

/** By the API, and what of it is meant. */
const targets: Readonly<Record<string, Target>> = {
  'openai-chat': {
    path: '/v1/chat/completions',
    hasModel: true,
    caps: ['max_tokens', 'max_completion_tokens'],
    base: { model: 'good', messages: user },
    escapes: ['n', 'service_tier', 'web_search_options', 'prediction', 'audio'],
  },
  'openai-responses': {
    path: '/v1/responses',
    hasModel: true,
    caps: ['max_output_tokens'],
    base: { model: 'good', input: 'hi' },
    escapes: ['previous_response_id', 'conversation', 'prompt', 'background', 'service_tier'],
  },
  anthropic: {
    path: '/v1/messages',
    hasModel: true,
    caps: ['max_tokens'],
    base: { model: 'good', messages: user },
    escapes: ['service_tier', 'mcp_servers', 'container', 'speed', 'inference_geo'],
  },
  gemini: {
    path: '/v1beta/models/good:generateContent',
    hasModel: false,
    caps: ['maxOutputTokens'],
    config: 'generationConfig',
    base: { contents: [{ parts: [{ text: 'hi' }] }] },
    escapes: ['cachedContent', 'candidateCount', 'speechConfig'],
  },
  bedrock: {
    path: '/model/good/converse',
    hasModel: false,
    caps: ['maxTokens'],
    config: 'inferenceConfig',
    base: { messages: [{ role: 'user', content: [{ text: 'hi' }] }] },
    escapes: ['additionalModelRequestFields', 'guardrailConfig', 'promptVariables', 'performanceConfig'],
  },
  'bedrock anthropic': invoke('anthropic.claude-good', {
    caps: ['max_tokens', ...foreignCaps],
    base: { anthropic_version: 'bedrock-2023-05-31', messages: user },
    escapes: ['service_tier', 'mcp_servers', 'container', 'prompt'],
  }),
  'bedrock nova': invoke('amazon.nova-pro-v1%3A0', {
    caps: ['maxTokens', 'max_new_tokens'],
    config: 'inferenceConfig',
    base: { messages: [{ role: 'user', content: [{ text: 'hi' }] }] },
    escapes: ['reasoningConfig', 'guardrailConfig'],
  }),
  'bedrock llama': invoke('us.meta.llama3-1-8b-instruct-v1%3A0', {
    caps: foreignCaps,
    base: { prompt: 'hi' },
    escapes: ['images', 'num_generations'],
  }),
  'bedrock mistral': invoke('mistral.mistral-large-2402-v1%3A0', {
    caps: foreignCaps,
    base: { messages: user },
    escapes: ['n', 'prediction'],
  }),
  'bedrock cohere': invoke('cohere.command-r-v1%3A0', {
    caps: foreignCaps,
    base: { message: 'hi' },
    escapes: ['num_generations', 'connectors'],
  }),
};

type Pairs = [name: string, value: string][];

/** A body as text, with members that are there twice, spelled otherwise, or of another kind. */
function evasion({ base, caps, config, escapes, hasModel }: Target, random: () => number): string {
  const below = (max: number): number => Math.floor(random() * max);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const spelled = (name: string): string =>
    pick([
      name,
      name,
      name,
      name.toUpperCase(),
      name.charAt(0).toUpperCase() + name.slice(1),
      name.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`),
      name.replaceAll(/_([a-z])/g, (_, one: string) => one.toUpperCase()),
      name.replaceAll('_', ''),
      name.replace('s', 'ſ').replace('k', '\u212a'),
      String.raw`\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`,
      `${name}\\u0000`,
      ` ${name}`,
    ]);
  const number = (): string =>
    pick([
      '1',
      '64',
      '65',
      '9999',
      '64.0',
      '1e5',
      '6.5e1',
      '"9999"',
      'null',
      '-1',
      '1e400',
      '[9999]',
      '9007199254740993',
      '0',
      'true',
    ]);
  const objectOf = (pairs: Pairs): string =>
    `{${pairs.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
  const pairs: Pairs = Object.entries(base).map(([name, value]) => [name, JSON.stringify(value)]);
  const add = (to: Pairs, name: string, value: string): void => {
    to.splice(below(to.length + 1), 0, [spelled(name), value]);
  };
  const inner: Pairs = [];
  for (let more = below(4); more > 0; more -= 1) {
    const kind = below(4);
    const into = config === undefined || random() < 0.3 ? pairs : inner;
    if (kind === 0) add(into, pick(caps), number());
    if (kind === 1 && hasModel) add(pairs, 'model', pick(['"good"', '"evil"', '"GOOD"', '["evil"]', 'null']));
    if (kind === 2)
      add(random() < 0.5 ? into : pairs, pick(escapes), pick(['2', '"x"', 'true', '{}', '1', 'null']));
    if (kind === 3) add(pairs, 'stream', pick(['true', 'false', '"true"', '1']));
  }
  if (config !== undefined && inner.length > 0) add(pairs, config, objectOf(inner));
  if (config !== undefined && random() < 0.1) add(pairs, config, objectOf([[pick(caps), number()]]));
  const text = objectOf(pairs);
  return pick([text, text, text, text, `\ufeff${text}`, `${text}{}`, `/**/${text}`, `${text} `]);
}

/** A value as one kind of parser has it: which of two members counts, and which names are one. */
type View = (text: string) => unknown;

const fold = (name: string): string => name.toUpperCase().toLowerCase();
const flat = (name: string): string => fold(name).replaceAll('_', '');

function viewBy(nameOf: (name: string) => string, isFirst: boolean): View {
  return (text) =>
    JSON.parse(text, (_key, value: unknown) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      const made = new Map<string, unknown>();
      for (const [name, one] of Object.entries(value)) {
        const key = nameOf(name);
        if (!(isFirst && made.has(key))) made.set(key, one);
      }
      return Object.fromEntries(made);
    }) as unknown;
}

/** Google's take both spellings of a name of protobuf, and no other. */
const protobufViews: readonly View[] = [viewBy(flat, false), viewBy(flat, true)];
const views: readonly View[] = [
  viewBy((name) => name, false),
  viewBy(fold, false),
  viewBy(fold, true),
  viewBy(flat, false),
  viewBy(flat, true),
];

/** What is wrong with a body that goes on, as one reader has it; undefined: nothing. */
function breach(value: unknown, { caps, config, escapes, hasModel }: Target): string | undefined {
  const body = value as Record<string, unknown>;
  const get = (object: unknown, name: string): unknown => {
    const members = (object ?? {}) as Record<string, unknown>;
    return members[name] ?? members[fold(name)] ?? members[flat(name)];
  };
  if (hasModel && get(body, 'model') !== 'good') return 'another model';
  const places = config === undefined ? [body] : [get(body, config)];
  const said = places
    .flatMap((one) => caps.map((name) => get(one, name)))
    .filter((one) => one !== undefined && one !== null);
  if (said.length === 0) return 'no cap';
  if (said.some((one) => !(typeof one === 'number' && one <= cap && one >= 1 && Number.isInteger(one))))
    return `the cap ${JSON.stringify(said)}`;
  for (const place of [body, ...places])
    for (const name of escapes) {
      const found = get(place, name);
      const isPlain =
        found === undefined || found === null || (['n', 'candidateCount'].includes(name) && found === 1);
      if (!isPlain && found !== false) return `the escape ${name}`;
    }
  return undefined;
}

describe('what a seed makes to get past a rule', () => {
  for (const [name, target] of Object.entries(targets))
    test(name, () => {
      const [api = ''] = name.split(' ');
      const random = seeded(18);
      const policy = policyOf(
        `rules: [{ name: r, hosts: a.example.com, llm: { api: ${api}, models: [good, "*.*"], outputTokens: ${cap}, budget: { tokens: { session: 9 } } } }]`,
      );
      let passed = 0;
      for (let round = 0; round < rounds; round += 1) {
        const text = evasion(target, random);
        // `access` makes a request of a method and a URL.
        const at = access(`POST https://a.example.com${target.path}`) as RequestAccess;
        const asked = { ...at, body: jsonBody(text) };
        const decision = policy.decide(principal(), asked, nowMs);
        if (decision.effect === 'deny') continue;
        passed += 1;
        const call = modelCallOf(asked, decision, llmRequestIn(asked));
        assert.ok(call?.worst !== undefined, text);
        assert.ok(call.worst.output <= cap, text);
        const sent = call.body?.toString() ?? text;
        for (const [at, view] of (api === 'gemini' ? protobufViews : views).entries())
          assert.equal(
            breach(view(sent), target),
            undefined,
            `${text} is sent as ${sent}, of which reader ${at} has more`,
          );
      }
      assert.ok(passed > rounds / 20, `${passed} of ${rounds} passed`);
    });
});
