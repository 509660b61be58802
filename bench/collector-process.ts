// A collector that takes whatever it is sent by OTLP over HTTP. Prints its port, and at each line of its input how many octets of traces have
// come since the last one.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

let bytes = 0;
const server = createServer((request, response) => {
  const isTraces = request.url === '/v1/traces';
  request.on('data', (piece: Buffer) => {
    if (isTraces) bytes += piece.length;
  });
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
createInterface({ input: process.stdin })
  .on('line', () => {
    console.log(String(bytes));
    bytes = 0;
  })
  .on('close', () => process.exit());
