// All suites of conformance, in the order of the table in docs/reference/protocols.md.

import { autobahnSuite } from './autobahn/autobahn-suite.ts';
import { curlSuite } from './curl/curl-suite.ts';
import { grpcSuite } from './grpc/grpc-suite.ts';
import { http2Suite } from './http2/http2-suite.ts';
import { llhttpSuite } from './llhttp/llhttp-suite.ts';
import { pkitsSuite } from './pkits/pkits-suite.ts';
import { limboSuite } from './x509-limbo/limbo-suite.ts';
import { webSocketSuite } from './websocket/websocket-suite.ts';
import type { Suite } from './suite.ts';

export const suites: readonly Suite[] = [
  curlSuite,
  llhttpSuite,
  http2Suite,
  grpcSuite,
  pkitsSuite,
  limboSuite,
  webSocketSuite,
  autobahnSuite,
];
