// What a request asks a model for: which model, with which tools, for how much at the most, and what of it no bound holds for.

import { cgiName, type HeaderField, type HeaderList } from '../http/header-list.ts';
import { type JsonValue, UnreadableBody } from './json-value.ts';
import { type LlmApi, type LlmEndpoint, llmEndpointOf } from './llm-endpoint.ts';
import { LlmFault, LlmReading, type LlmTool } from './llm-reading.ts';
import type { UsageForm } from './llm-usage.ts';
import { invokeShapeOf } from './bedrock-invoke.ts';
import { llmShapes } from './llm-shapes.ts';

export interface LlmRequest {
  readonly api: LlmApi;
  readonly kind: LlmEndpoint['kind'];
  readonly isStandard: boolean;
  readonly model: string;
  readonly streams: boolean;
  readonly tools: readonly LlmTool[];
  /** The cap of the output that it asks for, and the member that says it. */
  readonly outputTokens: number | undefined;
  /** The member that would. */
  readonly capPath: readonly string[];
  /** Two members say it, or one says it in a way that services read differently. */
  readonly hasOddCap: boolean;
  /** Alternatives, each of which is an output. */
  readonly choices: number;
  /** Fields, kinds of content and tools of the service for which no bound of tokens or of prices is known, by their names. */
  readonly unbounded: readonly string[];
  /** Messages, parts of content and tools: each has tokens that are not in the body. */
  readonly items: number;
  /** Its stream says what was used. */
  readonly tellsUsage: boolean;
  /** How its response says it. */
  readonly usageForm: UsageForm;
}

export interface LlmAsked {
  readonly path: string;
  readonly query: string;
  readonly headers: HeaderList;
}

/** Linear in the body. Undefined: the path is none at which a model is called. */
export function llmRequestOf(value: JsonValue, asked: LlmAsked): LlmRequest | UnreadableBody | undefined {
  const endpoint = llmEndpointOf(asked.path);
  if (endpoint === undefined) return undefined;
  const shape = endpoint.invokes === true ? invokeShapeOf(endpoint.model) : llmShapes[endpoint.api];
  if (shape === undefined)
    return new UnreadableBody(
      'is for a model whose own form of bodies the gateway does not read; call the model by Converse',
    );
  const reading = new LlmReading();
  try {
    checkAddress(endpoint.api, asked);
    for (const name of pricedFields(asked.headers)) reading.unbounded.add(name);
    // A stored prompt, of any length.
    if (endpoint.model?.includes(':prompt/') === true) reading.unbounded.add('prompt');
    const said = shape.read(value, reading, endpoint);
    return {
      api: endpoint.api,
      kind: endpoint.kind,
      isStandard: endpoint.isStandard,
      model: endpoint.model ?? said.model ?? '',
      streams: endpoint.streams ?? said.streams,
      tools: reading.tools,
      ...capOf(said.caps),
      capPath: shape.capPath,
      choices: said.choices,
      unbounded: [...reading.unbounded],
      items: reading.items,
      tellsUsage: said.tellsUsage,
      usageForm: endpoint.invokes === true ? 'bedrock-invoke' : endpoint.api,
    };
  } catch (fault) {
    if (fault instanceof LlmFault) return new UnreadableBody(fault.message);
    throw fault;
  }
}

/** Which of the two services take is not for us to say, and nothing is no cap to protobuf. */
function capOf(caps: readonly JsonValue[]): Pick<LlmRequest, 'outputTokens' | 'hasOddCap'> {
  const [cap] = caps;
  if (cap === undefined) return { outputTokens: undefined, hasOddCap: false };
  const isPlain = caps.length === 1 && typeof cap === 'number' && Number.isSafeInteger(cap) && cap >= 1;
  return isPlain ? { outputTokens: cap, hasOddCap: false } : { outputTokens: undefined, hasOddCap: true };
}

/** Parameters that change nothing of what is counted. */
const parameters: Readonly<Record<LlmApi, RegExp>> = {
  'openai-chat': /^(?:api-version=[A-Za-z0-9.-]+)?$/,
  'openai-responses': /^(?:api-version=[A-Za-z0-9.-]+)?$/,
  anthropic: /^(?:beta=true)?$/,
  gemini: /^(?:alt=(?:sse|json)|key=[A-Za-z0-9._-]+)?(?:&(?:alt=(?:sse|json)|key=[A-Za-z0-9._-]+))?$/,
  bedrock: /^$/,
};

/** Fields that choose what of a response is sent, or do something else than the method says. */
const foreignFields: ReadonlySet<string> = new Set([
  'x-goog-fieldmask',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);

/** By which services of a family choose a class of service, which has another price. */
const pricedPrefixes = ['x-amzn-bedrock-', 'x-vertex-ai-', 'x-gemini-'];

function pricedFields(headers: HeaderList): readonly string[] {
  return [...headers]
    .filter((field) => !asksForJson(field))
    .map(([name]) => cgiName(name))
    .filter((name) => pricedPrefixes.some((prefix) => name.startsWith(prefix)));
}

/** What SDKs of Bedrock say of each stream. */
const asksForJson = ([name, value]: HeaderField): boolean =>
  name.toLowerCase() === 'x-amzn-bedrock-accept' && (value === 'application/json' || value === '*/*');

function checkAddress(api: LlmApi, { query, headers }: LlmAsked): void {
  const text = query.startsWith('?') ? query.slice(1) : query;
  const names = text.split('&').map((part) => part.split('=', 1)[0]);
  if (text.length > 1024 || !parameters[api].test(text) || new Set(names).size < names.length)
    throw new LlmFault('comes with parameters in its URL that no rule about models reads');
  for (const [name] of headers)
    if (foreignFields.has(cgiName(name.toLowerCase())))
      throw new LlmFault(`comes with the field ${name.toLowerCase()}, which changes what is asked`);
}
