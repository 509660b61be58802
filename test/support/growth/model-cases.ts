// What a workload asks a model for, and what services say that it took.

import { HeaderList } from '../../../src/http/header-list.ts';
import { octetsOfBase64 } from '../../../src/understand/base64.ts';
import { countsInFields } from '../../../src/understand/bedrock-counts.ts';
import { invokeShapeOf } from '../../../src/understand/bedrock-invoke.ts';
import { isModelList, llmEndpointOf } from '../../../src/understand/llm-endpoint.ts';
import { LlmMeter } from '../../../src/understand/llm-meter.ts';
import { llmRequestOf } from '../../../src/understand/llm-request.ts';
import { UnreadableBody } from '../../../src/understand/json-value.ts';
import { readJson } from '../../../src/understand/read-json.ts';
import type { GrowthCases } from './growth-case.ts';

export const modelCases: GrowthCases = {
  'calls of models': {
    pieces: ['a', '"', ',', '{"a":', '{"type":"text"},', '/models/', ':', '%41', '_', '/model/'],
    read: (text) => [
      llmEndpointOf(`/v1/models/${text}:generateContent`),
      llmEndpointOf(`/model/${text}/converse`),
      llmEndpointOf(`/model/${text}/invoke`),
      invokeShapeOf(text),
      invokeShapeOf(`arn:aws:bedrock:${text}`),
      octetsOfBase64(text),
      countsInFields(new HeaderList([['x-amzn-bedrock-input-token-count', text]])),
      isModelList('gemini', `/v1beta${text}`, false),
      ...[
        '/v1/chat/completions',
        '/v1/responses',
        '/v1/messages',
        '/v1/models/m:generateContent',
        ...['anthropic.claude-3', 'amazon.nova-pro-v1', 'meta.llama3', 'mistral.m', 'cohere.command-r'].map(
          (model) => `/model/${model}/invoke`,
        ),
      ].map((path) => {
        const octets = new TextEncoder().encode(
          `{"messages":[{"content":[${text}]}],"documents":[${text}],"a":[${text}],"model":"m"}`,
        );
        const body = readJson(octets, { depthMax: 64, valuesMax: 100_000 });
        if (body instanceof UnreadableBody) return body;
        return llmRequestOf(body.value, { path, query: text, headers: new HeaderList() });
      }),
      ...['application/json', 'text/event-stream', 'application/vnd.amazon.eventstream'].map(
        (contentType) => {
          const form = contentType.includes('amazon') ? 'bedrock-invoke' : 'gemini';
          const meter = new LlmMeter({ form, choices: 1, contentType, octetsMax: 1 << 20 });
          for (const octet of new TextEncoder().encode(text)) meter.push(Uint8Array.of(octet));
          meter.end();
          return meter.usage;
        },
      ),
    ],
  },
};
