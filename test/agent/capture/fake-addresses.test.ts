import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeAddresses } from '../../../src/agent/capture/fake-addresses.ts';

const open = (namesMax: number, count = 1000): FakeAddresses =>
  new FakeAddresses({ namesMax, first: '198.18.1.0', count });

test('a name keeps its address, and the address says the name', () => {
  const addresses = open(10);
  const address = addresses.addressOf('a.test');
  assert.equal(address, '198.18.1.0');
  assert.equal(addresses.addressOf('b.test'), '198.18.1.1');
  assert.equal(addresses.addressOf('a.test'), address);
  assert.equal(addresses.nameOf('198.18.1.0'), 'a.test');
  assert.equal(addresses.nameOf('198.18.9.9'), undefined);
});

test('the name that was not used for longest makes room, and its address comes again late', () => {
  const addresses = open(2);
  addresses.addressOf('a.test');
  addresses.addressOf('b.test');
  addresses.addressOf('a.test');
  assert.equal(addresses.addressOf('c.test'), '198.18.1.2');
  assert.equal(addresses.nameOf('198.18.1.1'), undefined, 'b.test is forgotten');
  assert.equal(addresses.nameOf('198.18.1.0'), 'a.test');
  assert.equal(addresses.size, 2);
});

test('an address with an open connection stands for its name until the connection ends', () => {
  const addresses = open(2);
  const address = addresses.addressOf('a.test') ?? '';
  const held = addresses.hold(address);
  assert.equal(held?.name, 'a.test');
  for (let index = 0; index < 5000; index++) addresses.addressOf(`n${index}.test`);
  assert.equal(addresses.nameOf(address), 'a.test');
  held?.[Symbol.dispose]();
  held?.[Symbol.dispose]();
  addresses.addressOf('x.test');
  addresses.addressOf('y.test');
  assert.equal(addresses.nameOf(address), undefined);
});

test('a connection that ends twice does not count for the others of its address', () => {
  const addresses = open(1);
  const address = addresses.addressOf('a.test') ?? '';
  const [first] = [addresses.hold(address), addresses.hold(address)];
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  assert.equal(addresses.addressOf('b.test'), undefined);
  assert.equal(addresses.nameOf(address), 'a.test');
});

test('with all addresses in use by connections there is none for a new name', () => {
  const addresses = open(5, 2);
  const holds = ['a.test', 'b.test'].map((name) => addresses.hold(addresses.addressOf(name) ?? ''));
  assert.equal(addresses.addressOf('c.test'), undefined);
  holds[0]?.[Symbol.dispose]();
  assert.equal(addresses.addressOf('c.test'), '198.18.1.0');
  assert.equal(addresses.hold('198.18.1.7'), undefined);
});

test('the whole range is inside the network that is local, without its edges', () => {
  const addresses = new FakeAddresses({ namesMax: 1 });
  let last = '';
  for (let index = 0; index < 130_000; index++) last = addresses.addressOf(`n${index}.test`) ?? '';
  assert.equal(last, '198.19.252.207');
  assert.equal(addresses.addressOf('again.test'), '198.18.1.0');
});
