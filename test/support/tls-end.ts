// Where TLS of clients ends in a run of the tests: `TEST_TLS_ENDS_IN=agent npm test` has it end in the agent wherever an agent is.

export const tlsEndsInAgent = process.env['UPSTREAMPROXY_TLS_ENDS_IN'] === 'agent';
