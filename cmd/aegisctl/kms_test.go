package main

import (
	"context"
	"crypto"
	"fmt"
	"os"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
	"github.com/sigstore/sigstore/pkg/signature/kms/fake"
)

// kmsMain is a program of the scripts: sigstore-kms-local, a sigstore plugin whose key local://FILE lies unencrypted in a
// file. The program under test only ever sees its public half and its signatures.
func kmsMain() {
	if err := kmsPlugin(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func kmsPlugin() error {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args.InitOptions.KeyResourceID)
	if err != nil {
		return handler.WriteErrorResponse(os.Stdout, err)
	}
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(text, nil)
	if err != nil {
		return handler.WriteErrorResponse(os.Stdout, err)
	}
	ctx := context.WithValue(context.Background(), fake.KmsCtxKey{}, crypto.PrivateKey(key))
	sv, err := fake.LoadSignerVerifier(ctx, args.InitOptions.HashFunc)
	if err != nil {
		return handler.WriteErrorResponse(os.Stdout, err)
	}
	_, err = handler.Dispatch(os.Stdout, os.Stdin, args, sv)
	return err
}
