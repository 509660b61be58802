// The built-in module for HTTP. As an import, each of its names would be looked at, and behind one of them is the client of
// `fetch`: 60 ms of processor time and its memory, at each start of a gateway.

export const http = process.getBuiltinModule('node:http');
