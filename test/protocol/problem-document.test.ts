import assert from 'node:assert/strict';
import { test } from 'node:test';

import { denialResponse } from '../../src/gateway/exchange/denial.ts';
import { errorTable } from '../../src/protocol/error-table.ts';
import { problemDocument } from '../../src/protocol/problem-document.ts';
import { sessionProblem } from '../../src/protocol/session-messages.ts';

test('a request that is not served and a session that is refused are told in one form', () => {
  const members = problemDocument('policy_denied', 'No rule allows it.', { traceId: 't' });
  assert.deepEqual(members, {
    type: 'about:blank',
    title: errorTable.policy_denied.meaning,
    status: 403,
    detail: 'No rule allows it.',
    code: 'policy_denied',
    trace_id: 't',
  });
  const denied = denialResponse(
    { code: 'policy_denied', message: 'No rule allows it.', traceId: 't' },
    'application/json',
  );
  const session = sessionProblem('policy_denied', 'No rule allows it.', { traceId: 't' });
  for (const body of [JSON.parse(denied.body), session] as Record<string, unknown>[])
    for (const [name, value] of Object.entries(members)) assert.deepEqual(body[name], value, name);
  assert.deepEqual([session.error, session.message], ['policy_denied', 'No rule allows it.']);
});

test('a response with a status of its own says that', () => {
  assert.equal(problemDocument('request_malformed', 'There is nothing.', { status: 404 }).status, 404);
  assert.equal('trace_id' in problemDocument('internal', 'x'), false);
});
