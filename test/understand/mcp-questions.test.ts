// What a server of MCP asks its client for, told from all else that it says.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { questionIn, withheldQuestion } from '../../src/understand/mcp-questions.ts';
import { readJson } from '../../src/understand/read-json.ts';

const valueOf = (text: string) => {
  const json = readJson(Buffer.from(text), { depthMax: 64, valuesMax: 1000 });
  assert.ok(!(json instanceof UnreadableBody), text);
  return json.value;
};
const asks = (method: string, id = ',"id":1'): string => `{"jsonrpc":"2.0"${id},"method":"${method}"}`;
const result = (text: string): string => `{"jsonrpc":"2.0","id":1,"result":${text}}`;

describe('questions', () => {
  for (const [name, text, expected] of [
    ['of the model', asks('sampling/createMessage'), ['message', 'sampling']],
    ['of the user', asks('elicitation/create'), ['message', 'elicitation']],
    ['of files', asks('roots/list'), ['message', 'roots']],
    ['of the user, without an id', asks('elicitation/create', ''), ['message', 'elicitation']],
    ['in another letter case', asks('Roots/List'), ['message', 'other']],
    ['of what nobody knows', asks('tasks/get'), ['message', 'other']],
    ['with an id of null', asks('x', ',"id":null'), ['message', 'other']],
    ['a ping', asks('ping'), undefined],
    ['a notification', asks('notifications/progress', ''), undefined],
    ['a result', result('{"content":[]}'), undefined],
    ['a text of a question', result('{"content":[{"method":"roots/list"}]}'), undefined],
    [
      'in a result',
      result(
        '{"inputRequests":{"a":{"method":"roots/list"},"b":{"method":"x"},"c":{"method":"roots/list"}}}',
      ),
      ['response', 'roots', 'other'],
    ],
    ['in a result, as a list', result('{"inputRequests":[{"method":"roots/list"}]}'), ['response', 'other']],
    ['in a result, none', result('{"inputRequests":null}'), undefined],
    [
      'by an error',
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"x"}}',
      ['response', 'elicitation'],
    ],
    ['no error of that kind', '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"x"}}', undefined],
    [
      'a request with a result',
      '{"id":1,"method":"ping","result":{"inputRequests":{"a":{}}}}',
      ['response', 'other'],
    ],
    ['no object', '7', undefined],
  ] as const)
    test(name, () => {
      const question = questionIn(valueOf(text));
      assert.ok(!(question instanceof UnreadableBody));
      assert.deepEqual(question === undefined ? undefined : [question.kind, ...question.inputs], expected);
    });

  for (const text of [
    '{"id":1,"Method":"roots/list"}',
    '{"id":1,"Result":{}}',
    '{"id":1,"ERROR":{}}',
    result('{"InputRequests":{}}'),
    result('{"inputRequests":{"a":{"Method":"roots/list"}}}'),
    '{"id":1,"error":{"Code":-32042}}',
  ])
    test(`a name that some parsers take for another one: ${text}`, () => {
      assert.ok(questionIn(valueOf(text)) instanceof UnreadableBody);
    });
});

test('in place of a question comes what its client can only refuse, with the same id', () => {
  const denial = { code: -32_003, why: 'no "rule"' };
  const message = { kind: 'message', inputs: ['roots'] } as const;
  const response = { kind: 'response', inputs: ['roots'] } as const;
  for (const id of ['7', '"a\\"b"', '12345678901234567890', 'null'])
    assert.equal(
      withheldQuestion(
        valueOf(`{"id":${id},"method":"roots/list","params":{"x":"secret"}}`),
        message,
        denial,
      ),
      `{"jsonrpc":"2.0","id":${id},"method":"upstreamproxy/withheld"}`,
    );
  assert.equal(
    withheldQuestion(valueOf('{"method":"roots/list"}'), message, denial),
    '{"jsonrpc":"2.0","method":"upstreamproxy/withheld"}',
  );
  assert.equal(
    withheldQuestion(valueOf(result('{"inputRequests":{}}')), response, denial),
    '{"jsonrpc":"2.0","id":1,"error":{"code":-32003,"message":"no \\"rule\\""}}',
  );
});
