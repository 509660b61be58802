// Bodies of InvokeModel of Bedrock: each family of models has a form of its own, which the name of the model tells.

import type { JsonValue } from './json-value.ts';
import { LlmFault, type LlmReading, memberIn, textOf } from './llm-reading.ts';
import {
  anthropicAsked,
  bedrockAsked,
  chatMessage,
  chatParts,
  given,
  type LlmShape,
  nameOf,
  names,
  openaiTool,
  type SaidOfBody,
  typedParts,
} from './llm-shapes.ts';

/** Caps of one family or another. A model that took that of another one would be bounded by neither. */
const capNames = [
  'max_tokens',
  'max_gen_len',
  'max_tokens_to_sample',
  'max_completion_tokens',
  'max_new_tokens',
];
const caps = names(capNames.join(' '));

/** Two caps are none, and one of another family is refused as if it stood beside one. */
function capsIn(body: ReadonlyMap<string, JsonValue>, own: string): SaidOfBody {
  const foreign = capNames.filter((name) => name !== own && body.has(name));
  return saidOf([...given(body.get(own)), ...foreign]);
}

function saidOf(said: readonly JsonValue[]): SaidOfBody {
  return { model: undefined, streams: false, caps: said, choices: 1, tellsUsage: true };
}

/** The texts that the model reads as they are. */
function texts(body: ReadonlyMap<string, JsonValue>, ...members: readonly string[]): void {
  for (const name of members) {
    const value = body.get(name);
    if (value !== undefined) textOf(value, name);
  }
}

const anthropicBody = names(
  'anthropic_version anthropic_beta messages system temperature top_p top_k stop_sequences tools tool_choice thinking',
  'metadata output_config output_format cache_control',
);

const anthropic: LlmShape = {
  capPath: ['max_tokens'],
  read: (value, reading) => capsIn(anthropicAsked(value, reading, anthropicBody.union(caps)), 'max_tokens'),
};

const novaBody = names('schemaVersion messages system inferenceConfig toolConfig');
/** In both spellings that the models take. */
const novaConfig = names('maxTokens max_new_tokens temperature topP top_p topK top_k stopSequences');

const nova: LlmShape = {
  capPath: ['inferenceConfig', 'maxTokens'],
  read: (value, reading) => {
    const config = bedrockAsked(value, reading, { body: novaBody, config: novaConfig });
    return saidOf(given(config.get('maxTokens'), config.get('max_new_tokens')));
  },
};

const llamaBody = names('prompt temperature top_p').union(caps);

const llama: LlmShape = {
  capPath: ['max_gen_len'],
  read: (value, reading) => {
    const body = reading.members(value, llamaBody, { what: 'a body' });
    texts(body, 'prompt');
    return capsIn(body, 'max_gen_len');
  },
};

const mistralBody = names(
  'prompt messages temperature top_p top_k stop tools tool_choice response_format',
).union(caps);

const mistral: LlmShape = {
  capPath: ['max_tokens'],
  read: (value, reading) => {
    const body = reading.members(value, mistralBody, { what: 'a body' });
    texts(body, 'prompt');
    for (const one of reading.list(body.get('messages'), 'messages'))
      typedParts(reading.members(one, chatMessage, { what: 'a message' }).get('content'), chatParts, reading);
    for (const tool of reading.list(body.get('tools'), 'tools')) openaiTool(tool, reading);
    return capsIn(body, 'max_tokens');
  },
};

const cohereBody = names(
  'message chat_history documents search_queries_only preamble prompt prompt_truncation truncate temperature p k seed',
  'frequency_penalty presence_penalty stop_sequences return_prompt return_likelihoods logit_bias tools tool_results',
  'raw_prompting',
).union(caps);
const cohereTurn = names('role message user_name tool_calls tool_results');

const cohere: LlmShape = {
  capPath: ['max_tokens'],
  read: (value, reading) => {
    const body = reading.members(value, cohereBody, { what: 'a body' });
    texts(body, 'message', 'preamble', 'prompt');
    for (const one of reading.list(body.get('chat_history'), 'turns')) {
      const turn = reading.members(one, cohereTurn, { what: 'a turn' });
      cohereResults(turn.get('tool_results'), reading);
    }
    // Each is shown to the model with all of its members.
    reading.list(body.get('documents'), 'documents');
    cohereResults(body.get('tool_results'), reading);
    for (const tool of reading.list(body.get('tools'), 'tools'))
      reading.tools.push({ name: nameOf(tool), isOfService: false });
    return capsIn(body, 'max_tokens');
  },
};

function cohereResults(value: JsonValue | undefined, reading: LlmReading): void {
  for (const one of reading.list(value, 'results of tools')) {
    const outputs = memberIn(one, 'outputs', 'a result of a tool');
    if (outputs === undefined) throw new LlmFault('has a result of a tool without outputs');
    reading.list(outputs, 'outputs of a tool');
  }
}

/** By how names of models begin. Those of a family that draw, speak or embed have bodies of another form. */
const families: readonly (readonly [RegExp, LlmShape])[] = [
  [/^anthropic\.claude-/, anthropic],
  [/^amazon\.nova-(?:\d+-)?(?:micro|lite|pro|premier)-/, nova],
  [/^meta\.llama\d/, llama],
  [/^mistral\.(?!voxtral)/, mistral],
  [/^cohere\.command-/, cohere],
];

const placeAtStart = /^(?:us|eu|apac|ap|jp|au|ca|sa|in|us-gov|global)\./;
/** Of the service itself; what an account made has names that tell nothing. */
const nameInArn =
  /^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)\/(?<name>[^/]+)$/;

/** Undefined: what the model takes is not known here. Linear in the name. */
export function invokeShapeOf(model = ''): LlmShape | undefined {
  const name = (nameInArn.exec(model)?.groups?.['name'] ?? model).replace(placeAtStart, '');
  return families.find(([begins]) => begins.test(name))?.[1];
}
