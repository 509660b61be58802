// Where TLS of clients ends in a run of the tests: in the agent, but for `TEST_TLS_ENDS_IN=gateway npm test`.

export const tlsEndsInAgent = process.env['UPSTREAMPROXY_TLS_ENDS_IN'] !== 'gateway';
