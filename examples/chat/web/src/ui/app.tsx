// The whole page: a name is asked for, then there is the chat.

import { useSyncExternalStore } from "react";
import { signIn } from "../sign-in";
import { Chat } from "./chat";
import { NameDialog } from "./name-dialog";

export function App() {
  const { visitor, refusal } = useSyncExternalStore(signIn.subscribe, signIn.getSnapshot);
  return visitor?.accepted ? <Chat visitor={visitor} /> : <NameDialog visitor={visitor} refusal={refusal} />;
}
