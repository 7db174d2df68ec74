// Command kube-apiserver is the real API server of k8s.io/kubernetes, built as
// an ordinary Go module: `go install k8s.io/kubernetes/cmd/kube-apiserver` is
// not possible, because its go.mod replaces every staging module.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
