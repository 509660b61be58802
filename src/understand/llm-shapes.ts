// The bodies of the APIs: which members they have whose tokens the body itself bounds, and where model, tools and caps stand.
// What is not named here, such as media by URL, earlier responses by id, or a class of service, is not bounded by the body.

import type { JsonValue } from './json-value.ts';
import { JsonObject } from './json-value.ts';
import type { LlmApi, LlmEndpoint } from './llm-endpoint.ts';
import { LlmFault, type LlmReading, memberIn, textOf } from './llm-reading.ts';
import { isList } from './write-json.ts';

export interface SaidOfBody {
  readonly model: string | undefined;
  readonly streams: boolean;
  /** All members that say a cap. */
  readonly caps: readonly JsonValue[];
  readonly choices: number;
  readonly tellsUsage: boolean;
}

/** How a body says what is asked. */
export interface LlmShape {
  /** The member that caps the output, where a body has none. */
  readonly capPath: readonly string[];
  read(value: JsonValue, reading: LlmReading, endpoint: LlmEndpoint): SaidOfBody;
}

export const names = (...texts: readonly string[]): ReadonlySet<string> =>
  new Set(texts.flatMap((one) => one.split(' ')));

function flag(value: JsonValue | undefined, what: string): boolean {
  if (value === undefined || typeof value === 'boolean') return value === true;
  throw new LlmFault(`has ${what} that is neither true nor false`);
}

export const given = (...values: readonly (JsonValue | undefined)[]): readonly JsonValue[] =>
  values.filter((one) => one !== undefined);

/** Alternatives that are asked for; more than one is said to be asked for, by the name of its member. */
function choicesOf(value: JsonValue | undefined, name: string, reading: LlmReading): number {
  if (value === undefined || value === 1) return 1;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > 1024)
    throw new LlmFault(`has ${name} that is no number of alternatives`);
  reading.unbounded.add(name);
  return value;
}

/** Parts of content: text itself, or objects whose `type` says what they are. */
export function typedParts(
  value: JsonValue | undefined,
  bounded: ReadonlySet<string>,
  reading: LlmReading,
): void {
  if (value === undefined || value === null || typeof value === 'string') return;
  for (const part of reading.list(value, 'parts of content')) {
    const type = textOf(memberIn(part, 'type', 'a part of content'), 'a type of content');
    if (!bounded.has(type)) reading.unbounded.add(type);
    // Of a result of a tool or of a search: parts too.
    if (type === 'tool_result' || type === 'search_result')
      typedParts(memberIn(part, 'content', 'a result'), bounded, reading);
  }
}

const chatBody = names(
  'model messages stream stream_options max_completion_tokens max_tokens temperature top_p stop tools tool_choice',
  'parallel_tool_calls functions function_call response_format seed user metadata store logprobs top_logprobs logit_bias n',
  'frequency_penalty presence_penalty reasoning_effort verbosity safety_identifier prompt_cache_key prompt_cache_retention',
);
export const chatMessage = names(
  'role content name tool_calls tool_call_id function_call refusal reasoning reasoning_content annotations',
);
export const chatParts = names('text refusal');
const streamOptions = names('include_usage include_obfuscation');

const openaiChat: LlmShape = {
  capPath: ['max_completion_tokens'],
  read(value, reading) {
    const body = reading.members(value, chatBody, { what: 'a body' });
    for (const one of reading.list(body.get('messages'), 'messages'))
      typedParts(reading.members(one, chatMessage, { what: 'a message' }).get('content'), chatParts, reading);
    for (const tool of reading.list(body.get('tools'), 'tools')) openaiTool(tool, reading);
    for (const one of reading.list(body.get('functions'), 'functions'))
      reading.tools.push({ name: nameOf(one), isOfService: false });
    const options = body.get('stream_options');
    const asked =
      options === undefined
        ? undefined
        : reading.members(options, streamOptions, { what: 'stream_options' }).get('include_usage');
    return {
      model: textOf(body.get('model'), 'a model'),
      streams: flag(body.get('stream'), 'stream'),
      caps: given(body.get('max_completion_tokens'), body.get('max_tokens')),
      choices: choicesOf(body.get('n'), 'n', reading),
      tellsUsage: asked === true,
    };
  },
};

export function nameOf(value: JsonValue | undefined): string {
  return textOf(memberIn(value, 'name', 'a tool'), 'a name of a tool');
}

export function openaiTool(tool: JsonValue, reading: LlmReading): void {
  const type = textOf(memberIn(tool, 'type', 'a tool'), 'a type of a tool');
  if (type === 'function' || type === 'custom')
    reading.tools.push({ name: nameOf(memberIn(tool, type, 'a tool')), isOfService: false });
  else ofService(type, reading);
}

function ofService(name: string, reading: LlmReading): void {
  reading.tools.push({ name, isOfService: true });
  reading.unbounded.add(name);
}

const responsesBody = names(
  'model input instructions stream stream_options max_output_tokens max_tool_calls temperature top_p tools tool_choice',
  'parallel_tool_calls reasoning text include metadata store user safety_identifier prompt_cache_key',
  'prompt_cache_retention truncation top_logprobs background',
);
const responsesItems = names(
  'message function_call function_call_output custom_tool_call custom_tool_call_output reasoning local_shell_call',
  'local_shell_call_output',
);
const responsesParts = names('input_text output_text text refusal summary_text reasoning_text');
/** The client runs them, and has no name for them. */
const clientTypes = names('local_shell apply_patch computer_use_preview computer');

const openaiResponses: LlmShape = {
  capPath: ['max_output_tokens'],
  read(value, reading) {
    const body = reading.members(value, responsesBody, { what: 'a body' });
    if (body.get('background') !== undefined && body.get('background') !== false)
      reading.unbounded.add('background');
    const input = body.get('input');
    if (typeof input !== 'string')
      for (const one of reading.list(input, 'input')) responsesItem(one, reading);
    for (const tool of reading.list(body.get('tools'), 'tools')) responsesTool(tool, reading);
    return {
      model: textOf(body.get('model'), 'a model'),
      streams: flag(body.get('stream'), 'stream'),
      caps: given(body.get('max_output_tokens')),
      choices: 1,
      tellsUsage: true,
    };
  },
};

function responsesItem(item: JsonValue, reading: LlmReading): void {
  const said = memberIn(item, 'type', 'an item of input');
  // What has no type is a message if it says who speaks; else the service takes its id for an item that it kept.
  const untyped = typeof memberIn(item, 'role', 'an item') === 'string' ? 'message' : 'item_reference';
  const type = said === undefined || said === null ? untyped : textOf(said, 'a type of input');
  if (!responsesItems.has(type)) reading.unbounded.add(type);
  // What the service kept of it, by its id.
  if (type === 'reasoning' && typeof memberIn(item, 'encrypted_content', 'an item') !== 'string')
    reading.unbounded.add('reasoning');
  for (const key of ['content', 'output', 'summary'])
    typedParts(memberIn(item, key, 'an item'), responsesParts, reading);
}

function responsesTool(tool: JsonValue, reading: LlmReading): void {
  const type = textOf(memberIn(tool, 'type', 'a tool'), 'a type of a tool');
  if (type === 'function' || type === 'custom')
    reading.tools.push({ name: nameOf(tool), isOfService: false });
  else if (clientTypes.has(type) || (type === 'shell' && isLocal(memberIn(tool, 'environment', 'a tool'))))
    reading.tools.push({ name: type, isOfService: false });
  else ofService(type, reading);
}

/** Elsewhere the service runs it, in a container of its own. */
const isLocal = (value: JsonValue | undefined): boolean =>
  value instanceof JsonObject && value.members.get('type') === 'local';

const anthropicBody = names(
  'model messages system max_tokens stream temperature top_p top_k stop_sequences tools tool_choice thinking metadata',
  'output_config output_format cache_control',
);
const anthropicMessage = names('role content');
const anthropicParts = names('text tool_use tool_result thinking redacted_thinking search_result');
/** Tools that the client runs, by what their types begin with. */
const anthropicClientTypes = ['bash_', 'text_editor_', 'computer_', 'memory_'];

const anthropic: LlmShape = {
  capPath: ['max_tokens'],
  read: (value, reading) => {
    const body = anthropicAsked(value, reading, anthropicBody);
    return {
      model: textOf(body.get('model'), 'a model'),
      streams: flag(body.get('stream'), 'stream'),
      caps: given(body.get('max_tokens')),
      choices: 1,
      tellsUsage: true,
    };
  },
};

/** All but what the address says elsewhere. */
export function anthropicAsked(
  value: JsonValue,
  reading: LlmReading,
  known: ReadonlySet<string>,
): ReadonlyMap<string, JsonValue> {
  const body = reading.members(value, known, { what: 'a body' });
  typedParts(body.get('system'), anthropicParts, reading);
  for (const one of reading.list(body.get('messages'), 'messages')) {
    const message = reading.members(one, anthropicMessage, { what: 'a message' });
    typedParts(message.get('content'), anthropicParts, reading);
  }
  for (const tool of reading.list(body.get('tools'), 'tools')) {
    const text = textOf(memberIn(tool, 'type', 'a tool') ?? 'custom', 'a type of a tool');
    const isClient = text === 'custom' || anthropicClientTypes.some((one) => text.startsWith(one));
    if (isClient) reading.tools.push({ name: nameOf(tool), isOfService: false });
    else ofService(text, reading);
  }
  if (hasLongCache(value)) reading.unbounded.add('ttl');
  return body;
}

/** What is kept for longer has another price. */
function hasLongCache(value: JsonValue): boolean {
  if (isList(value)) return value.some(hasLongCache);
  if (!(value instanceof JsonObject)) return false;
  const control = value.members.get('cache_control');
  const ttl = control instanceof JsonObject ? control.members.get('ttl') : undefined;
  return (ttl !== undefined && ttl !== '5m') || [...value.members.values()].some(hasLongCache);
}

const geminiBody = names(
  'contents systemInstruction generationConfig tools toolConfig safetySettings labels',
);
const geminiConfig = names(
  'maxOutputTokens candidateCount temperature topP topK stopSequences responseMimeType responseSchema responseJsonSchema',
  'presencePenalty frequencyPenalty seed responseLogprobs logprobs thinkingConfig',
);
const geminiContent = names('role parts');
const geminiParts = names('text thought thoughtSignature functionCall functionResponse');
const geminiResponse = names('id name response scheduling willContinue');
const geminiTools = names('functionDeclarations');
const isProto = true;

const gemini: LlmShape = {
  capPath: ['generationConfig', 'maxOutputTokens'],
  read(value, reading, { kind }) {
    const asked = kind === 'count' ? countedBody(value) : value;
    const body = reading.members(asked, geminiBody, { what: 'a body', isProto });
    const config = body.get('generationConfig');
    const said =
      config === undefined
        ? new Map<string, JsonValue>()
        : reading.members(config, geminiConfig, { what: 'generationConfig', isProto });
    for (const one of reading.list(body.get('contents'), 'contents')) geminiTurn(one, reading);
    if (body.has('systemInstruction')) geminiTurn(body.get('systemInstruction'), reading);
    for (const tool of reading.list(body.get('tools'), 'tools')) geminiTool(tool, reading);
    return {
      model: undefined,
      streams: false,
      caps: given(said.get('maxOutputTokens')),
      choices: choicesOf(said.get('candidateCount'), 'candidateCount', reading),
      tellsUsage: true,
    };
  },
};

/** A question about tokens has the whole request in a member, or its contents alone. */
function countedBody(value: JsonValue): JsonValue {
  const inner = value instanceof JsonObject ? value.members.get('generateContentRequest') : undefined;
  if (!(inner instanceof JsonObject)) return value;
  return new JsonObject(new Map([...inner.members].filter(([name]) => name !== 'model')));
}

function geminiTurn(value: JsonValue | undefined, reading: LlmReading): void {
  const turn = reading.members(value, geminiContent, { what: 'a turn', isProto });
  for (const part of reading.list(turn.get('parts'), 'parts')) {
    const said = reading.members(part, geminiParts, { what: 'a part', isProto });
    if (said.has('functionResponse'))
      reading.members(said.get('functionResponse'), geminiResponse, { what: 'a functionResponse', isProto });
  }
}

function geminiTool(tool: JsonValue, reading: LlmReading): void {
  if (!(tool instanceof JsonObject)) throw new LlmFault('has a tool that is no object');
  const declared = reading.members(tool, geminiTools, { what: 'a tool', isProto });
  for (const one of reading.list(declared.get('functionDeclarations'), 'functionDeclarations'))
    reading.tools.push({ name: nameOf(one), isOfService: false });
  for (const name of tool.members.keys())
    if (reading.unbounded.has(name)) reading.tools.push({ name, isOfService: true });
}

const bedrockBody = names('messages system inferenceConfig toolConfig requestMetadata');
const bedrockConfig = names('maxTokens temperature topP stopSequences');
const bedrockMessage = names('role content');
const bedrockParts = names('text toolUse toolResult cachePoint reasoningContent json');
const bedrockTools = names('tools toolChoice');

const bedrock: LlmShape = {
  capPath: ['inferenceConfig', 'maxTokens'],
  read: (value, reading) => {
    const said = bedrockAsked(value, reading, { body: bedrockBody, config: bedrockConfig });
    return {
      model: undefined,
      streams: false,
      caps: given(said.get('maxTokens')),
      choices: 1,
      tellsUsage: true,
    };
  },
};

/** Gives what `inferenceConfig` says. */
export function bedrockAsked(
  value: JsonValue,
  reading: LlmReading,
  known: { readonly body: ReadonlySet<string>; readonly config: ReadonlySet<string> },
): ReadonlyMap<string, JsonValue> {
  const body = reading.members(value, known.body, { what: 'a body' });
  const config = body.get('inferenceConfig');
  const said =
    config === undefined
      ? new Map<string, JsonValue>()
      : reading.members(config, known.config, { what: 'inferenceConfig' });
  bedrockContent(body.get('system'), reading);
  for (const one of reading.list(body.get('messages'), 'messages'))
    bedrockContent(reading.members(one, bedrockMessage, { what: 'a message' }).get('content'), reading);
  const tools = body.get('toolConfig');
  if (tools !== undefined)
    for (const one of reading.list(
      reading.members(tools, bedrockTools, { what: 'toolConfig' }).get('tools'),
      'tools',
    ))
      bedrockTool(one, reading);
  return said;
}

function bedrockContent(value: JsonValue | undefined, reading: LlmReading): void {
  for (const block of reading.list(value, 'blocks of content')) {
    const said = reading.members(block, bedrockParts, { what: 'a block of content' });
    bedrockCache(said.get('cachePoint'), reading);
    const result = said.get('toolResult');
    if (result !== undefined) bedrockContent(memberIn(result, 'content', 'a result'), reading);
  }
}

function bedrockTool(tool: JsonValue, reading: LlmReading): void {
  if (!(tool instanceof JsonObject)) throw new LlmFault('has a tool that is no object');
  for (const [name, said] of tool.members)
    if (name === 'toolSpec') reading.tools.push({ name: nameOf(said), isOfService: false });
    else if (name === 'cachePoint') bedrockCache(said, reading);
    else ofService(name, reading);
}

/** What is kept for longer has another price. */
function bedrockCache(point: JsonValue | undefined, reading: LlmReading): void {
  if (!(point instanceof JsonObject)) return;
  const ttl = point.members.get('ttl');
  if (ttl !== undefined && ttl !== null && ttl !== '5m') reading.unbounded.add('ttl');
}

export const llmShapes: Readonly<Record<LlmApi, LlmShape>> = {
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  anthropic,
  gemini,
  bedrock,
};
