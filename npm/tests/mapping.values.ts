// Written by the test `mapping` of tidewire-protocol: what serde_json gives for the types of mapping.schema.ts.
import type { MappingTopics } from "./mapping.schema.js";

type Values = { [Topic in keyof MappingTopics]: MappingTopics[Topic]["event"][] };

export const values: Values = {
  "texts": [{"string":"a \"b\"\n","letter":"ß","boxed":"c","address":"127.0.0.1"}],
  "numbers": [{"small":255,"signed":-1,"large":9007199254740992,"float":0.5,"exact":"340282366920938463463374607431768211455"}],
  "options": [{"nullable":null,"defaulted":0},{"nullable":"a","absent":1,"tags":["b"],"defaulted":2}],
  "lists": [{"list":[1,2],"set":["a"],"array":[1,2,3],"pair":["a",0.5],"unit":null}],
  "maps": [{"by_text":{"a":1},"by_number":{"7":"b"},"by_variant":{"2nd":1}},{"by_text":{},"by_number":{},"by_variant":{}}],
  "times": [{"moment":"2026-01-02T03:04:05Z","day":"2026-01-02","delta":[1,500000000],"at_ms":1767323045000,"time":"2026-01-02T03:04:05Z","duration":{"secs":1,"nanos":500000000}}],
  "bytes": [{"id":"00000000-0000-0000-0000-000000000007","raw":[0,255],"packed":"AQL/"}],
  "enum:unit": ["first_one","2nd"],
  "enum:external": ["Nothing",{"One":1},{"Two":[1,"a"]},{"Named":{"text":"b"}}],
  "enum:internal": [{"type":"nothing"},{"type":"holds","value":1},{"type":"named","someText":"a"}],
  "enum:adjacent": [{"kind":"Nothing"},{"kind":"One","data":1},{"kind":"Two","data":[1,"a"]},{"kind":"Named","data":{"text":"b"}}],
  "enum:untagged": [0.5,"a",{"text":"b"}],
  "enum:open": ["known","other"],
  "newtype": ["a"],
  "transparent": [[1]],
  "tuple": [[1,"a"]],
  "nothing": [null],
  "renamed": [{"twoWords":1,"content-type":2,"aliased":4,"type":5}],
  "flat": [{"own":1,"value":2,"type":"nothing"},{"own":1,"value":2,"type":"named","someText":"a"}],
  "generic": [{"items":[{"value":1}],"next":null},{"items":[],"next":{"value":2}}],
  "tree": [{"value":1,"children":[{"value":2,"children":[]}]}],
  "others": [{"json":{"a":[null,true,0.5]},"outcome":{"Ok":1}},{"json":null,"outcome":{"Err":"a"}}],
};
