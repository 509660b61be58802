// A part of gRPC's cases, which test/e2e/protocol-matrix has not. `npm run test:conformance grpc` runs all.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge } from '../suite.ts';
import { runInteropCases } from './grpc-suite.ts';

test('calls of gRPC get through agent and gateway what they get without them', async () => {
  const names = [
    'custom_metadata',
    'special_status_message',
    'client_compressed_unary',
    'server_compressed_streaming',
  ];
  const verdict = judge(await runInteropCases(names), [], true);
  assert.deepEqual(verdict, { passed: names.length, deviations: 0, excluded: 0, faults: [] });
});
